package server_test

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime/types"

	"outcrop.dev/outcrop/server"
)

var reused = regexp.MustCompile(`(?m)^outcrop_reused_token_count_total\{.*\} (\d+)$`)

// TestPromptsAreNotShared: a prompt that one region has sent is read anew for another region, though it
// is not for its own. What is a tenant to the engine, an account in a region, is tested in invoke; that
// nothing passes between tenants, in engine/infer.
func TestPromptsAreNotShared(t *testing.T) {
	t.Parallel()
	s := start(t)
	own := 0
	for range 20 { // the model may be loaded anew once, when its checksums have been written
		if own = reusedBy(t, s, "us-east-1"); own > 0 {
			break
		}
	}
	if own == 0 {
		t.Fatal("its own prompt is read again: this test shows nothing")
	}
	for _, region := range []string{"eu-west-1", "ap-southeast-2"} {
		if n := reusedBy(t, s, region); n != 0 {
			t.Errorf("%s reused %d tokens of another region's prompt", region, n)
		}
	}
	if n := reusedBy(t, s, "us-east-1"); n != own {
		t.Errorf("%d tokens of its own prompt were reused in the end, %d before", n, own)
	}
}

// reusedBy asks in a region, and says how many tokens were not read for it.
func reusedBy(t *testing.T, s *server.Server, region string) int {
	t.Helper()
	before := reusedTokens(t, s)
	ask(t, s, region)
	return reusedTokens(t, s) - before
}

// ask sends the one long prompt.
func ask(t *testing.T, s *server.Server, region string) {
	t.Helper()
	cfg := config(s, s.RootKey(), http1())
	cfg.Region = region
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, err := bedrockruntime.NewFromConfig(cfg).Converse(ctx, &bedrockruntime.ConverseInput{
		ModelId:         aws.String("amazon.titan-text-express-v1"),
		Messages:        []types.Message{{Role: types.ConversationRoleUser, Content: []types.ContentBlock{&types.ContentBlockMemberText{Value: strings.Repeat("a secret of one's own, ", 40)}}}},
		InferenceConfig: &types.InferenceConfiguration{MaxTokens: aws.Int32(2)},
	})
	if err != nil {
		t.Fatal(err)
	}
}

// reusedTokens reads the counter of all models.
func reusedTokens(t *testing.T, s *server.Server) (sum int) {
	t.Helper()
	key := s.RootKey()
	status, body := get(t, s.URL()+"/metrics", "Authorization", basic(key.AccessKeyID, key.SecretAccessKey))
	if status != 200 {
		t.Fatalf("/metrics: %d", status)
	}
	for _, m := range reused.FindAllStringSubmatch(body, -1) {
		var n int
		if _, err := fmt.Sscan(m[1], &n); err != nil {
			t.Fatal(err)
		}
		sum += n
	}
	return sum
}

package soak

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime"

	"outcrop.dev/outcrop/e2e/harness"
	"outcrop.dev/outcrop/internal/trials"
)

var (
	churn = flag.Duration("churn", time.Duration(trials.N(10, 15*60))*time.Second, "how long each number of clients comes and goes, by each protocol")
	bin   string
)

func TestMain(m *testing.M) { harness.Main(m, &bin) }

const titan = "amazon.titan-text-express-v1"

// TestVanishingClients: of many clients half vanish in the middle of their answer. The others are served
// or told to come again (429), and when all have gone nothing of them is left.
func TestVanishingClients(t *testing.T) {
	s := harness.Start(t, bin, t.TempDir())
	invoke(t.Context(), s, &http.Client{Transport: &http.Transport{}}, false) // the model is in memory from here on
	for _, h2 := range []bool{false, true} {
		for _, clients := range []int{64, 256} {
			t.Run(fmt.Sprintf("clients=%d,HTTP/2=%v", clients, h2), func(t *testing.T) {
				goroutines, descriptors := s.Metric("go_goroutines"), s.Descriptors()
				answers := vanish(t, s, clients, h2)
				t.Logf("answers: %v", answers)
				for status := range answers {
					if status != "200" && status != "429" && status != "gone" {
						t.Errorf("%d answers are %s", answers[status], status)
					}
				}
				if answers["200"] == 0 || answers["gone"] == 0 {
					t.Error("nobody stayed, or nobody vanished: this test shows nothing")
				}
				const slack = 10 // connections of this test's own, and what is collected later
				if !within(30*time.Second, func() bool {
					return s.Metric("go_goroutines") <= goroutines+slack && s.Descriptors() <= descriptors+slack
				}) {
					t.Errorf("%v goroutines and %d descriptors are left of %v and %d", s.Metric("go_goroutines"), s.Descriptors(), goroutines, descriptors)
				}
			})
		}
	}
}

func within(limit time.Duration, done func() bool) bool {
	for began := time.Now(); time.Since(began) < limit; time.Sleep(50 * time.Millisecond) {
		if done() {
			return true
		}
	}
	return false
}

// vanish runs so many clients for a while, and counts how their requests ended.
func vanish(t *testing.T, s *harness.Server, clients int, h2 bool) map[string]int {
	transport := &http.Transport{Protocols: new(http.Protocols), MaxIdleConnsPerHost: clients}
	transport.Protocols.SetHTTP1(!h2)
	transport.Protocols.SetUnencryptedHTTP2(h2)
	defer transport.CloseIdleConnections()
	end, answers := time.Now().Add(*churn), map[string]int{}
	var mu sync.Mutex
	var group sync.WaitGroup
	for i := range clients {
		group.Go(func() {
			own := map[string]int{}
			for time.Now().Before(end) {
				own[invoke(t.Context(), s, &http.Client{Transport: transport}, i%2 == 0)]++
			}
			mu.Lock()
			defer mu.Unlock()
			for status, n := range maps.All(own) {
				answers[status] += n
			}
		})
	}
	group.Wait()
	return answers
}

// invoke asks for an answer in pieces, and says how it ended: with which status, or "gone" if this client
// has, which it does after the first piece if it is to.
func invoke(ctx context.Context, s *harness.Server, client *http.Client, vanishes bool) string {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cfg := s.Config()
	cfg.HTTPClient, cfg.RetryMaxAttempts = client, 1
	out, err := bedrockruntime.NewFromConfig(cfg).InvokeModelWithResponseStream(ctx, &bedrockruntime.InvokeModelWithResponseStreamInput{
		ModelId: aws.String(titan), Body: []byte(`{"inputText":"Tell me of rocks.","textGenerationConfig":{"maxTokenCount":60,"temperature":1}}`),
	})
	var answer *awshttp.ResponseError
	if errors.As(err, &answer) {
		return fmt.Sprint(answer.HTTPStatusCode())
	}
	if err != nil {
		return err.Error()
	}
	stream := out.GetStream()
	defer stream.Close()
	for range stream.Events() {
		if vanishes {
			return "gone"
		}
	}
	if err := stream.Err(); err != nil {
		return err.Error()
	}
	return "200"
}

package cli

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/bedrock"
	"github.com/aws/aws-sdk-go-v2/service/bedrock/types"
	runtimetypes "github.com/aws/aws-sdk-go-v2/service/bedrockruntime/types"
)

func TestAPIValueUsesTheAPIsNames(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		in   any
		want string
	}{
		{"absent members are left out", &bedrock.GetModelCustomizationJobOutput{
			JobName:      aws.String("j"),
			CreationTime: aws.Time(time.Unix(0, 0).UTC()),
			Status:       types.ModelCustomizationJobStatusStopped,
			HyperParameters: map[string]string{
				"epochCount": "1",
			},
			ValidationDataConfig: &types.ValidationDataConfig{Validators: []types.Validator{{S3Uri: aws.String("s3://b/k")}}},
		}, `{"creationTime":"1970-01-01T00:00:00Z","hyperParameters":{"epochCount":"1"},"jobName":"j",` +
			`"status":"Stopped","validationDataConfig":{"validators":[{"s3Uri":"s3://b/k"}]}}`},
		{"a union shows its member", runtimetypes.ContentBlock(&runtimetypes.ContentBlockMemberText{Value: "hi"}), `{"text":"hi"}`},
		{"numbers keep their zero", struct{ ModelUnits *int32 }{aws.Int32(0)}, `{"modelUnits":0}`},
		{"an empty list is a list", map[string]any{"jobs": []string{}}, `{"jobs":[]}`},
	} {
		got, err := json.Marshal(apiValue(c.in))
		if err != nil || string(got) != c.want {
			t.Errorf("%s:\n got %s, %v\nwant %s", c.name, got, err, c.want)
		}
	}
}

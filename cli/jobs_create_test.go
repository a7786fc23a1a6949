package cli

import (
	"net/http"
	"testing"

	"outcrop.dev/outcrop"
)

// TestDataRefused: the exit code of bad data comes from the server's reason. Without one, as from
// an earlier version, it is that of any refusal, whatever the message says.
func TestDataRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		reason outcrop.Reason
		want   int
	}{{outcrop.ReasonBadData, exitBadData}, {outcrop.ReasonNoInput, exitFailure}, {"", exitFailure}} {
		api := scriptedServer(t, answer{status: http.StatusBadRequest, reason: c.reason, body: `{"message":"train.jsonl line 2: it is no JSON"}`})
		in := (&newJob{name: "a", model: "a", base: defaultBaseModel, role: "arn:aws:iam::123456789012:role/R", outputURI: "s3://b/"}).input("s3://b/t", nil)
		_, err := api.bedrock.CreateModelCustomizationJob(t.Context(), in)
		if err == nil || exitCode(dataRefused(err)) != c.want {
			t.Errorf("reason %q: exit code %d of %v", c.reason, exitCode(dataRefused(err)), err)
		}
	}
}

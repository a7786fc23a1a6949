package bedrockruntime

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/bedrockruntime"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime/types"

	"outcrop.dev/outcrop"
)

const answer = `{"inputTextTokenCount":5,"results":[{"tokenCount":3,"outputText":"Banded grey gneiss.","completionReason":"FINISH"}]}`

func TestInvokeModel(t *testing.T) {
	t.Parallel()
	bothProtocols(t, func(t *testing.T, r *rig, c *sdk.Client) {
		for _, m := range []struct {
			id       string
			dir      string
			resource outcrop.ARN
		}{
			{pebbleID, "/pebble", baseARN},
			{titanID, "/pebble", baseARN},
			{titanID + ":0:8k", "/pebble", baseARN},
			{"arn:aws:bedrock:us-east-1::foundation-model/" + titanID, "/pebble", baseARN},
			{string(readyARN), "/custom/modelmodel12", readyARN},
			{"my-throughput", "/custom/modelmodel12", readyARN},
			{"readyready12", "/custom/modelmodel12", readyARN},
			{"arn:aws:bedrock:us-east-1:123456789012:provisioned-model/readyready12", "/custom/modelmodel12", readyARN},
		} {
			out, err := c.InvokeModel(context.Background(), &sdk.InvokeModelInput{ModelId: &m.id, Body: []byte(hi)})
			if err != nil {
				t.Fatalf("%s: %v", m.id, err)
			}
			if string(out.Body) != answer || aws.ToString(out.ContentType) != "application/json" {
				t.Errorf("%s: got %s %s", m.id, out.Body, aws.ToString(out.ContentType))
			}
			if req := r.engine.last(t); req.Model.Dir != m.dir || req.Messages[0].Text() != "hi" || req.MaxTokens != 512 {
				t.Errorf("%s: asked %+v", m.id, req)
			}
			used := r.meter.all()
			want := outcrop.Usage{At: used[len(used)-1].At, Scope: scope, Resource: m.resource, Operation: "InvokeModel", InputTokens: 5, OutputTokens: 3, Latency: 20 * time.Millisecond}
			if got := used[len(used)-1]; got != want {
				t.Errorf("%s: metered %+v, want %+v", m.id, got, want)
			}
		}
	})
}

func TestInvokeThroughputOfABaseModel(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	arn := r.store.put("basebasebase", "base", outcrop.ThroughputInService, func(th *outcrop.Throughput) {
		th.ModelARN, th.FoundationModelARN = baseARN, ""
	})
	if _, err := invoke(r, string(arn), hi); err != nil || r.engine.last(t).Model.Dir != "/pebble" {
		t.Errorf("%v, asked %+v", err, r.engine.last(t))
	}
}

// TestInvokePath: an ARN's slash arrives escaped from every SDK, and raw from people.
func TestInvokePath(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, path := range []string{
		"/model/" + url.PathEscape(string(readyARN)) + "/invoke",
		"/model/" + string(readyARN) + "/invoke",
		"/model/" + strings.ReplaceAll(url.PathEscape(string(readyARN)), ":", "%3A") + "/invoke",
	} {
		resp, err := http.Post(r.srv.URL+path, "text/plain", strings.NewReader(hi)) // any Content-Type
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != 200 || string(body) != answer {
			t.Errorf("%s: %d %s, %v", path, resp.StatusCode, body, err)
		}
		for name, want := range map[string]string{
			"X-Amzn-Bedrock-Input-Token-Count": "5", "X-Amzn-Bedrock-Output-Token-Count": "3", "X-Amzn-Bedrock-Invocation-Latency": "20",
			"X-Amzn-Requestid": "request-1", "Content-Type": "application/json",
		} {
			if got := resp.Header.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", path, name, got, want)
			}
		}
	}
}

func TestInvokeRefuses(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.store.put("failedfailed", "failed", outcrop.ThroughputFailed, func(th *outcrop.Throughput) {
		th.FailureMessage = "The weights are not on disk."
	})
	r.store.put("orphanorphan", "orphan", outcrop.ThroughputInService, func(th *outcrop.Throughput) {
		th.ModelARN = scope.ARN(outcrop.KindCustomModel, pebbleID+"/gonegonegone")
	})
	r.store.put("strangebase1", "strange", outcrop.ThroughputInService, func(th *outcrop.Throughput) {
		th.FoundationModelARN = scope.ARN(outcrop.KindFoundationModel, "no.such-model")
	})
	arn := "arn:aws:bedrock:us-east-1:123456789012:"
	for _, c := range []struct {
		id, body string
		code     outcrop.Code
		says     []string
	}{
		{string(modelARN), hi, outcrop.CodeValidation, []string{"Invocation of model ID " + string(modelARN) + " with on-demand throughput isn’t supported. ", string(readyARN)}},
		{"my-model", hi, outcrop.CodeValidation, []string{"on-demand throughput isn’t supported"}},
		{arn + "custom-model/my-model", hi, outcrop.CodeValidation, []string{"on-demand throughput isn’t supported"}},
		{arn + "custom-model/" + pebbleID + "/absentabsent", hi, outcrop.CodeNotFound, []string{"absentabsent"}},
		{arn + "provisioned-model/absentabsent", hi, outcrop.CodeNotFound, []string{"Model not found.", "absentabsent"}},
		{"arn:aws:bedrock:us-east-1:999999999999:provisioned-model/readyready12", hi, outcrop.CodeNotFound, []string{"123456789012"}},
		{"arn:aws:bedrock:eu-west-1:123456789012:provisioned-model/readyready12", hi, outcrop.CodeNotFound, []string{"us-east-1"}},
		{"arn:aws:bedrock:us-east-1::foundation-model/no.such-model", hi, outcrop.CodeNotFound, []string{"Could not resolve the foundation model from the provided model identifier."}},
		{arn + "imported-model/abcdefghijkl", hi, outcrop.CodeValidation, []string{"The provided model identifier is invalid."}},
		{"no.such-model", hi, outcrop.CodeValidation, []string{"The provided model identifier is invalid.", "no.such-model"}},
		{"failed", hi, outcrop.CodeModelError, []string{"The weights are not on disk."}},
		{"orphan", hi, outcrop.CodeModelError, []string{"has been deleted"}},
		{"strange", hi, outcrop.CodeModelError, []string{"no longer in this server's catalog"}},
		{titanID, `{"inputText":7}`, outcrop.CodeValidation, []string{"Malformed input request: #/inputText: expected type: String, found: Number, please reformat your input and try again."}},
		{titanID, ``, outcrop.CodeValidation, []string{"Malformed input request"}},
		{"bad id!", hi, outcrop.CodeValidation, []string{"1 validation error detected: Value 'bad id!' at 'modelId'"}},
	} {
		_, err := invoke(r, c.id, c.body)
		t.Run(c.id, func(t *testing.T) { wantAPIError(t, err, c.code, c.says...) })
	}
	if n := len(r.meter.all()); n > 0 {
		t.Errorf("%d refused requests were metered", n)
	}
}

func TestInvokeCustomModelWithoutThroughput(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.store.recs = r.store.recs[:1]
	_, err := invoke(r, string(modelARN), hi)
	wantAPIError(t, err, outcrop.CodeValidation, "isn’t supported", "CreateProvisionedModelThroughput with modelId "+string(modelARN))
}

func TestInvokeSettings(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	in := func(change func(*sdk.InvokeModelInput)) error {
		i := &sdk.InvokeModelInput{ModelId: &titanID, Body: []byte(hi)}
		change(i)
		_, err := r.client(false).InvokeModel(context.Background(), i)
		return err
	}
	if err := in(func(i *sdk.InvokeModelInput) {
		i.PerformanceConfigLatency, i.ServiceTier, i.Trace = types.PerformanceConfigLatencyStandard, types.ServiceTierTypeDefault, types.TraceEnabled
	}); err != nil {
		t.Error(err)
	}
	wantAPIError(t, in(func(i *sdk.InvokeModelInput) {
		i.GuardrailIdentifier, i.GuardrailVersion = aws.String("abc"), aws.String("1")
	}), outcrop.CodeValidation, "no guardrails")
	wantAPIError(t, in(func(i *sdk.InvokeModelInput) {
		i.PerformanceConfigLatency = types.PerformanceConfigLatencyOptimized
	}), outcrop.CodeValidation, "optimized")
	wantAPIError(t, in(func(i *sdk.InvokeModelInput) {
		i.ServiceTier = types.ServiceTierTypePriority
	}), outcrop.CodeValidation, "priority")
}

// TestInvokeWaits: for a throughput that is Creating, but not with a body that is wrong.
func TestInvokeWaits(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.store.put("newnewnewnew", "new", outcrop.ThroughputCreating, nil)
	_, err := invoke(r, "new", hi)
	wantAPIError(t, err, outcrop.CodeModelNotReady, "Model is not ready for inference. Wait and try your request again.", "45s")
	r.store.gets = 0
	_, err = invoke(r, "new", `{}`)
	wantAPIError(t, err, outcrop.CodeValidation)
	if r.store.gets >= 20 { // resolving takes a few
		t.Errorf("looked %d times with a bad body", r.store.gets)
	}
	r.store.onGet = func([]outcrop.Record) {
		if r.store.gets == 20 {
			r.store.setStatus("new", outcrop.ThroughputInService)
		}
	}
	if _, err := invoke(r, "new", hi); err != nil || r.store.gets < 20 {
		t.Errorf("%v after %d looks", err, r.store.gets)
	}
}

// waitFor waits until ok, which another goroutine is about to make true.
func waitFor(t *testing.T, ok func() bool) {
	t.Helper()
	for range 5000 {
		if ok() {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatal("waited in vain")
}

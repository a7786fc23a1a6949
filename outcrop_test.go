package outcrop_test

import (
	"errors"
	"slices"
	"testing"

	"outcrop.dev/outcrop"
)

func TestParseARN(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in         string
		ok         bool
		kind       outcrop.Kind
		last, acct string
	}{
		{"arn:aws:bedrock:us-east-1:123456789012:custom-model/amazon.titan-text-express-v1:0:8k/abcdefghijkl", true, "custom-model", "abcdefghijkl", "123456789012"},
		{"arn:aws:bedrock:us-east-1:123456789012:custom-model/medical-summarization-model", true, "custom-model", "medical-summarization-model", "123456789012"},
		{"arn:aws:bedrock:us-east-1::foundation-model/amazon.titan-text-express-v1", true, "foundation-model", "amazon.titan-text-express-v1", ""},
		{"arn:aws:bedrock:us-east-1:123456789012:custom-model/", false, "", "", ""},
		{"arn:aws:bedrock:us-east-1:123456789012", false, "", "", ""},
		{"my-model", false, "", "", ""},
	} {
		p, ok := outcrop.ParseARN(c.in)
		if ok != c.ok {
			t.Errorf("ParseARN(%q) ok = %v, want %v", c.in, ok, c.ok)
		}
		if ok && (p.Kind != c.kind || p.Last() != c.last || p.Account != c.acct) {
			t.Errorf("ParseARN(%q) = %+v, want %s %s %s", c.in, p, c.kind, c.last, c.acct)
		}
	}
}

func TestScopeARN(t *testing.T) {
	t.Parallel()
	s := outcrop.Scope{Account: "123456789012", Region: "us-east-1"}
	if got, want := s.ARN(outcrop.KindThroughput, "abcdefghijkl"), outcrop.ARN("arn:aws:bedrock:us-east-1:123456789012:provisioned-model/abcdefghijkl"); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := s.ARN(outcrop.KindFoundationModel, "a.b"), outcrop.ARN("arn:aws:bedrock:us-east-1::foundation-model/a.b"); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestKeyForTakesNameIDAndARN(t *testing.T) {
	t.Parallel()
	here := outcrop.Scope{Account: "123456789012", Region: "us-east-1"}
	for _, id := range []string{"m", "arn:aws:bedrock:us-east-1:123456789012:custom-model/m", "arn:aws:bedrock:us-east-1:123456789012:custom-model/a.b:0:8k/m"} {
		if got, want := outcrop.KeyFor(outcrop.KindCustomModel, here, id), (outcrop.Key{Kind: outcrop.KindCustomModel, Scope: here, Ref: "m"}); got != want {
			t.Errorf("KeyFor(%q) = %+v, want %+v", id, got, want)
		}
	}
}

func TestS3URI(t *testing.T) {
	t.Parallel()
	if b, k, err := outcrop.ParseS3URI("s3://bkt/a/b.jsonl"); b != "bkt" || k != "a/b.jsonl" || err != nil {
		t.Errorf("got %q %q %v", b, k, err)
	}
	for _, bad := range []string{"", "s3://", "s3:///k", "http://bkt/k", "bkt/k"} {
		if _, _, err := outcrop.ParseS3URI(bad); outcrop.CodeOf(err) != outcrop.CodeValidation {
			t.Errorf("ParseS3URI(%q): %v, want a ValidationException", bad, err)
		}
	}
	for _, prefix := range []string{"s3://b/out", "s3://b/out/", "s3://b/out//"} {
		if got := outcrop.JoinS3URI(prefix, "/x"); got != "s3://b/out/x" {
			t.Errorf("JoinS3URI(%q) = %q", prefix, got)
		}
	}
}

func TestRecordRoundTrip(t *testing.T) {
	t.Parallel()
	loss := 1.5
	j := &outcrop.Job{Meta: outcrop.Meta{Kind: outcrop.KindJob, ID: "abcdefghijkl", Name: "n"}, OutputURI: "s3://b/o/", Work: outcrop.Work{Progress: outcrop.Progress{TrainingLoss: &loss}}}
	back, err := outcrop.JobOf(j.Record())
	if err != nil || back.Name != "n" || *back.Progress.TrainingLoss != loss {
		t.Errorf("got %+v, %v", back, err)
	}
	if got, want := back.OutputPrefix(), "s3://b/o/model-customization-job-abcdefghijkl"; got != want {
		t.Errorf("output prefix %q, want %q", got, want)
	}
	if _, err := outcrop.ThroughputOf(j.Record()); err == nil {
		t.Error("a job was read as throughput")
	}
}

func TestCodeOf(t *testing.T) {
	t.Parallel()
	e := outcrop.Errorf(outcrop.CodeNotFound, "no %s", "x")
	if got := outcrop.CodeOf(errors.Join(errors.New("a"), e)); got != outcrop.CodeNotFound {
		t.Errorf("got %q", got)
	}
	if got := outcrop.CodeOf(errors.New("a")); got != outcrop.CodeInternal {
		t.Errorf("got %q", got)
	}
	if got := outcrop.CodeOf(nil); got != "" {
		t.Errorf("got %q", got)
	}
}

func TestKindNames(t *testing.T) {
	t.Parallel()
	for kind, want := range map[outcrop.Kind][3]string{
		outcrop.KindJob:             {"model customization job", "a model customization job", "model customization jobs"},
		outcrop.KindThroughput:      {"provisioned model throughput", "a provisioned model throughput", "provisioned model throughputs"},
		outcrop.KindFoundationModel: {"foundation model", "a foundation model", "foundation models"},
		"guardrail":                 {"guardrail", "a guardrail", "guardrails"},
		"":                          {"resource", "a resource", "resources"},
	} {
		if got := [3]string{kind.Noun(), kind.ANoun(), kind.Nouns()}; got != want {
			t.Errorf("%q: %q, want %q", kind, got, want)
		}
	}
	durable := slices.Collect(outcrop.Kinds())
	if slices.Contains(durable, outcrop.KindFoundationModel) {
		t.Errorf("of the durable kinds %v one comes from the catalog", durable)
	}
	for _, kind := range []outcrop.Kind{outcrop.KindJob, outcrop.KindCustomModel, outcrop.KindThroughput} {
		if !slices.Contains(durable, kind) {
			t.Errorf("of the durable kinds %v %s is missing", durable, kind)
		}
	}
	for kind := range outcrop.Kinds() {
		if kind == outcrop.KindJob {
			break
		}
		t.Errorf("%s comes first", kind)
	}
}

package bedrock_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/bedrock"
)

// routes returns the method and path of every operation, as api_gen.go has them.
func routes(t testing.TB) [][2]string {
	src, err := os.ReadFile("api_gen.go")
	if err != nil {
		t.Fatal(err)
	}
	var all [][2]string
	for _, m := range regexp.MustCompile(`Method: "([A-Z]+)", Path: "([^"]+)"`).FindAllStringSubmatch(string(src), -1) {
		all = append(all, [2]string{m[1], m[2]})
	}
	if len(all) < 100 {
		t.Fatalf("%d routes", len(all))
	}
	return all
}

var label = regexp.MustCompile(`\{[^}]+\}`)

// FuzzOperations sends arbitrary labels, queries and bodies to every operation. Whatever is
// wrong is said with an exception that the caller can act on: never a panic, never a status
// of 500, always JSON.
func FuzzOperations(f *testing.F) {
	all := routes(f)
	for i := range all {
		f.Add(byte(i), "job", "", `{}`)
		f.Add(byte(i), "model", "maxResults=5&sortOrder=Ascending&nextToken=x&creationTimeAfter=2025-01-01T00:00:00Z", `[]`)
		f.Add(byte(i), "arn:aws:bedrock:us-east-1:123456789012:custom-model/job-model", "%zz", `{"tags":[{"key":"a","value":null}],"resourceARN":5}`)
	}
	body, _ := json.Marshal(map[string]any{
		"jobName": "j", "customModelName": "m", "baseModelIdentifier": titan, "roleArn": role, "hyperParameters": map[string]string{"epochCount": "1e9"},
		"trainingDataConfig": map[string]any{"s3Uri": "s3://data/train.jsonl"}, "outputDataConfig": map[string]any{"s3Uri": "s3://out"},
	})
	for i, r := range all {
		if r[1] == "/model-customization-jobs" {
			f.Add(byte(i), "", "", string(body))
		}
	}
	f.Fuzz(func(t *testing.T, op byte, id, query, body string) {
		e := newEnv(t)
		e.complete(e.createJob("job"))
		must(e.CreateProvisionedModelThroughput(t.Context(), reserve("model", titan)))(t)
		route := all[int(op)%len(all)]
		req := httptest.NewRequestWithContext(t.Context(), route[0], "/", strings.NewReader(body))
		path := label.ReplaceAllLiteralString(route[1], url.PathEscape(id))
		u, err := url.Parse(path)
		if err != nil {
			return // no client could send it
		}
		req.URL, req.URL.RawQuery = u, query
		w := httptest.NewRecorder()
		e.handler.ServeHTTP(w, req)
		if w.Code >= http.StatusInternalServerError {
			t.Errorf("%s %s?%s %q: status %d: %s", route[0], path, query, body, w.Code, w.Body)
		}
		if w.Body.Len() > 0 && !json.Valid(w.Body.Bytes()) {
			t.Errorf("not JSON: %q", w.Body)
		}
		if (w.Header().Get("X-Amzn-ErrorType") == "") != (w.Code < 300) || w.Header().Get("X-Amzn-Requestid") == "" {
			t.Errorf("status %d with the headers %v", w.Code, w.Header())
		}
	})
}

// TestEveryRouteAnswers calls every operation with nothing: each answers its own error, none
// is unknown.
func TestEveryRouteAnswers(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	for _, r := range routes(t) {
		req := httptest.NewRequestWithContext(t.Context(), r[0], label.ReplaceAllLiteralString(r[1], "x"), nil)
		w := httptest.NewRecorder()
		e.handler.ServeHTTP(w, req)
		if code := w.Header().Get("X-Amzn-ErrorType"); code == "UnknownOperationException" || w.Code >= 500 {
			t.Errorf("%s %s: %d %s", r[0], r[1], w.Code, w.Body)
		}
	}
}

// TestRawARN asks with an ARN whose slashes are not encoded, as people write them.
func TestRawARN(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	arn := e.createJob("raw")
	for path, want := range map[string]int{"/model-customization-jobs/" + arn: 200, "/model-customization-jobs/" + arn + "/stop": 400, "/custom-models/" + arn: 400} {
		resp, err := http.Get(e.url + path)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("GET %s: %d, want %d", path, resp.StatusCode, want)
		}
	}
	resp, err := http.Post(e.url+"/model-customization-jobs/"+arn+"/stop", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if got := must(e.GetModelCustomizationJob(t.Context(), &sdk.GetModelCustomizationJobInput{JobIdentifier: &arn}))(t); resp.StatusCode != 200 || got.Status != "Stopping" {
		t.Errorf("stop: %d, %s", resp.StatusCode, got.Status)
	}
}

package bedrockruntime

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"testing"
)

// FuzzOperations: whatever the body and the model's identifier are, the answer is a success
// or the client's error, never a 500.
func FuzzOperations(f *testing.F) {
	operations := []string{"invoke", "invoke-with-response-stream", "converse", "converse-stream", "count-tokens"}
	for i := range operations {
		for _, body := range []string{
			hi, `{"messages":[{"role":"user","content":[{"text":"hi"}]}],"inferenceConfig":{"topP":0,"stopSequences":["a"]}}`,
			`{"messages":[{"role":"user","content":[{"image":{"format":"png","source":{"bytes":"eA=="}}}]}],"additionalModelRequestFields":{"seed":1}}`,
			`{"input":{"invokeModel":{"body":"eyJpbnB1dFRleHQiOiJoaSJ9"}}}`, `{"input":{"converse":{"messages":[]}}}`, `{"input":{}}`,
			`{"system":[{"cachePoint":{"type":"default"}}],"messages":null,"toolConfig":{}}`, ``, `[`, `null`,
		} {
			f.Add(uint8(i), titanID, []byte(body))
		}
		f.Add(uint8(i), "arn:aws:bedrock:us-east-1:123456789012:custom-model/a/b", []byte(hi))
		f.Add(uint8(i), string(readyARN), []byte(hi))
	}
	r := newRig(f)
	f.Fuzz(func(t *testing.T, op uint8, modelID string, body []byte) {
		u := r.srv.URL + "/model/" + url.PathEscape(modelID) + "/" + operations[int(op)%len(operations)]
		resp, err := http.Post(u, "application/json", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		answer, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode >= 500 || resp.StatusCode < 200 {
			t.Fatalf("%s %q: %d %s, %v", u, body, resp.StatusCode, answer, err)
		}
	})
}

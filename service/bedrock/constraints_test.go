package bedrock_test

import (
	"encoding/json"
	"math/rand/v2"
	"net/http/httptest"
	"strings"
	"testing"

	"outcrop.dev/outcrop/internal/trials"
	"outcrop.dev/outcrop/service/bedrock"
	"outcrop.dev/outcrop/wire/restjson/restjsontest"
)

// TestConstraints breaks each constraint of the service model by itself: the answer is the client's
// error, and names the member.
func TestConstraints(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	operations, err := restjsontest.Operations("api_gen.go")
	if err != nil {
		t.Fatal(err)
	}
	inputs, n := restjsontest.Inputs(e.service), 0
	for _, op := range operations {
		if inputs[op.Name] == nil {
			continue // not implemented: it has no input
		}
		for _, q := range restjsontest.Broken(bedrock.API, op, inputs[op.Name]) {
			req, err := q.Request()
			if err != nil {
				t.Fatalf("%s: %v", q.What, err)
			}
			w := httptest.NewRecorder()
			e.handler.ServeHTTP(w, req)
			n++
			kind := w.Header().Get("X-Amzn-ErrorType")
			if w.Code != 400 || kind != "ValidationException" && kind != "SerializationException" || !strings.Contains(w.Body.String(), q.Member) {
				t.Errorf("%s: %d %s %s", q.What, w.Code, kind, w.Body)
			}
		}
	}
	t.Logf("%d requests, each with one thing wrong", n)
	if n < 700 {
		t.Error("these are not all")
	}
}

// TestMutants sends every operation requests that were right or nearly so and were then changed:
// whatever is wrong with them, the answer is JSON and no fault of ours.
func TestMutants(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.complete(e.createJob("job"))
	operations, err := restjsontest.Operations("api_gen.go")
	if err != nil {
		t.Fatal(err)
	}
	r, inputs, codes := rand.New(rand.NewPCG(11, 2)), restjsontest.Inputs(e.service), map[int]int{}
	for _, op := range operations {
		for i := 0; inputs[op.Name] != nil && i < trials.N(50, 1000); i++ {
			q := restjsontest.Mutant(r, op, inputs[op.Name])
			req, err := q.Request()
			if err != nil {
				continue // no client could send it
			}
			w := httptest.NewRecorder()
			e.handler.ServeHTTP(w, req)
			codes[w.Code/100]++
			if w.Code >= 500 || w.Body.Len() > 0 && !json.Valid(w.Body.Bytes()) {
				t.Errorf("%s %s: %d %s", req.Method, req.URL, w.Code, w.Body)
			}
		}
	}
	t.Logf("answers by the hundred of their status: %v", codes)
	if codes[2] == 0 || codes[4] == 0 {
		t.Error("all were answered alike")
	}
}

package bedrockruntime

import (
	"math/rand/v2"
	"net/http/httptest"
	"strings"
	"testing"

	"outcrop.dev/outcrop/internal/trials"
	"outcrop.dev/outcrop/wire/restjson/restjsontest"
)

// TestConstraints breaks each constraint of the service model by itself: the answer is the client's
// error, and names the member.
func TestConstraints(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	operations, err := restjsontest.Operations("api_gen.go")
	if err != nil {
		t.Fatal(err)
	}
	inputs, n := restjsontest.Inputs(r.svc), 0
	for _, op := range operations {
		if inputs[op.Name] == nil {
			continue // not implemented: it has no input
		}
		for _, q := range restjsontest.Broken(API, op, inputs[op.Name]) {
			req, err := q.Request()
			if err != nil {
				t.Fatalf("%s: %v", q.What, err)
			}
			w := httptest.NewRecorder()
			r.srv.Config.Handler.ServeHTTP(w, req)
			n++
			if kind := w.Header().Get("X-Amzn-ErrorType"); w.Code < 400 || w.Code >= 500 || kind == "" || !strings.Contains(w.Body.String(), q.Member) {
				t.Errorf("%s: %d %s %s", q.What, w.Code, kind, w.Body)
			}
		}
	}
	t.Logf("%d requests, each with one thing wrong", n)
	if n < 1000 {
		t.Error("these are not all")
	}
}

// TestMutants sends every operation requests that were changed at random: no answer is a fault of ours.
func TestMutants(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	operations, err := restjsontest.Operations("api_gen.go")
	if err != nil {
		t.Fatal(err)
	}
	random, inputs, codes := rand.New(rand.NewPCG(11, 3)), restjsontest.Inputs(r.svc), map[int]int{}
	for _, op := range operations {
		for i := 0; inputs[op.Name] != nil && i < trials.N(50, 1000); i++ {
			req, err := restjsontest.Mutant(random, op, inputs[op.Name]).Request()
			if err != nil {
				continue // no client could send it
			}
			w := httptest.NewRecorder()
			r.srv.Config.Handler.ServeHTTP(w, req)
			codes[w.Code/100]++
			if w.Code >= 500 {
				t.Errorf("%s %s: %d %s", req.Method, req.URL, w.Code, w.Body)
			}
		}
	}
	t.Logf("answers by the hundred of their status: %v", codes)
	if codes[2] == 0 || codes[4] == 0 {
		t.Error("all were answered alike")
	}
}

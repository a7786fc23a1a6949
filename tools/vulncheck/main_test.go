package main

import "testing"

// What is called counts, wherever it is; the standard library fails only if that is wanted.
func TestReport(t *testing.T) {
	t.Parallel()
	const said = `{"config":{}}
{"osv":{"id":"GO-1","summary":"bad"}}
{"finding":{"osv":"GO-1","fixed_version":"v1.26.9","trace":[{"module":"stdlib","function":"ReadFrom"}]}}
{"finding":{"osv":"GO-2","trace":[{"module":"example.com/m"}]}}`
	const module = `{"finding":{"osv":"GO-3","fixed_version":"v2.0.0","trace":[{"module":"example.com/m","function":"F"}]}}`
	for _, c := range []struct {
		said   string
		strict bool
		n      int
		fails  bool
	}{{said, false, 1, false}, {said, true, 1, true}, {said + module, false, 2, true}, {"", true, 0, false}} {
		found, err := called([]byte(c.said))
		if err != nil || len(found) != c.n {
			t.Fatalf("%v, %v", found, err)
		}
		if err := report(found, c.strict); (err != nil) != c.fails {
			t.Errorf("%v, strict %v: %v", found, c.strict, err)
		}
	}
	if _, err := called([]byte("{")); err == nil {
		t.Error("half a message was read")
	}
}

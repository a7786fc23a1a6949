package invoke

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"outcrop.dev/outcrop"
)

var (
	scope = outcrop.Scope{Account: "123456789012", Region: "us-east-1"}
	arn   = scope.ARN(outcrop.KindThroughput, "readyready12")
	files = outcrop.ModelFiles{Dir: "/custom/model", BaseDir: "/base", ContextLength: 64}
	// onDemand needs no throughput, provisioned does.
	onDemand    = outcrop.Target{Scope: scope, Resource: scope.ARN(outcrop.KindFoundationModel, "acme.x"), Units: 1, Files: files}
	provisioned = outcrop.Target{Scope: scope, Resource: arn, Units: 1, Files: files, Reserved: outcrop.Key{Kind: outcrop.KindThroughput, Scope: scope, Ref: "readyready12"}, CheckServes: checkServes}
)

// checkServes is what a noun of reserved capacity says of its states.
func checkServes(rec outcrop.Record) error {
	switch rec.Status {
	case outcrop.ThroughputInService, outcrop.ThroughputUpdating:
		return nil
	case outcrop.ThroughputCreating:
		return outcrop.Errorf(outcrop.CodeModelNotReady, "%s is not ready.", rec.Name)
	case outcrop.ThroughputFailed:
		return outcrop.Errorf(outcrop.CodeModelError, "%s has failed.", rec.Name)
	}
	return errors.New("an unknown state: " + string(rec.Status))
}

// fakeStore has one throughput, whose status is what a function says.
type fakeStore struct {
	outcrop.Store
	status func() outcrop.Status
}

func (s fakeStore) Get(_ context.Context, key outcrop.Key) (outcrop.Record, error) {
	status := s.status()
	if key != provisioned.Reserved || status == "" {
		return outcrop.Record{}, outcrop.Errorf(outcrop.CodeNotFound, "There is no %s.", key.Ref)
	}
	return outcrop.Record{Meta: outcrop.Meta{Kind: outcrop.KindThroughput, Scope: scope, ID: key.Ref, ARN: arn, Name: "mine", Status: status}}, nil
}

// fakeEngine takes a second for each word, and remembers what it was asked.
type fakeEngine struct {
	outcrop.Engine
	words []string
	err   error // after the words
	mu    sync.Mutex
	asked []outcrop.GenerateRequest
}

func (e *fakeEngine) Generate(ctx context.Context, req outcrop.GenerateRequest, emit func(string) error) (outcrop.GenerateResult, error) {
	e.mu.Lock()
	e.asked = append(e.asked, req)
	e.mu.Unlock()
	res := outcrop.GenerateResult{InputTokens: 5, ReusedTokens: 2}
	for _, w := range e.words {
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return res, ctx.Err()
		}
		res.Text += w
		res.OutputTokens++
		if err := emit(w); err != nil {
			return res, err
		}
	}
	return res, e.err
}

func (e *fakeEngine) CountTokens(_ context.Context, m outcrop.ModelFiles, messages []outcrop.Message) (int, error) {
	return m.ContextLength + len(messages), e.err
}

type fakeMeter struct {
	mu   sync.Mutex
	used []outcrop.Usage
}

func (m *fakeMeter) Record(ctx context.Context, u outcrop.Usage) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if ctx.Err() == nil {
		m.used = append(m.used, u)
	}
}

// world is an Invoker over fakes, in a bubble with a clock of its own.
type world struct {
	*Invoker
	status func() outcrop.Status // of the throughput
	engine *fakeEngine
	meter  *fakeMeter
}

func inWorld(t *testing.T, opt Options, f func(*testing.T, *world)) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &world{status: func() outcrop.Status { return outcrop.ThroughputInService }, engine: &fakeEngine{words: []string{"a", "b"}}, meter: &fakeMeter{}}
		opt.Now, opt.After = time.Now, time.After
		w.Invoker = New(fakeStore{status: func() outcrop.Status { return w.status() }}, w.engine, w.meter, opt)
		f(t, w)
	})
}

// TestGenerate: the target says on which model and for whom, and what was used is metered on it.
func TestGenerate(t *testing.T) {
	inWorld(t, Options{}, func(t *testing.T, w *world) {
		start, shown := time.Now(), ""
		req := outcrop.GenerateRequest{Tenant: "another", Messages: []outcrop.Message{outcrop.Text(outcrop.RoleUser, "hi")}, MaxTokens: 7}
		g, err := w.Generate(t.Context(), "Playground", provisioned, req, func(text string) error { shown += text; return nil })
		want := outcrop.Generation{
			GenerateResult: outcrop.GenerateResult{Text: "ab", InputTokens: 5, ReusedTokens: 2, OutputTokens: 2},
			Latency:        2 * time.Second, FirstText: time.Second,
		}
		if err != nil || !reflect.DeepEqual(g, want) || shown != "ab" {
			t.Errorf("%+v, %v, shown %q; want %+v", g, err, shown, want)
		}
		req.Model, req.Tenant = files, "123456789012/us-east-1"
		if !reflect.DeepEqual(w.engine.asked, []outcrop.GenerateRequest{req}) {
			t.Errorf("asked %+v, want %+v", w.engine.asked, req)
		}
		used := outcrop.Usage{At: start, Scope: scope, Resource: arn, Operation: "Playground", InputTokens: 5, ReusedTokens: 2, OutputTokens: 2, Latency: 2 * time.Second}
		if !slices.Equal(w.meter.used, []outcrop.Usage{used}) {
			t.Errorf("metered %+v, want %+v", w.meter.used, used)
		}
		if n, err := w.CountTokens(t.Context(), provisioned, req.Messages); n != 65 || err != nil || len(w.meter.used) != 1 {
			t.Errorf("%d tokens, %v, metered %+v", n, err, w.meter.used)
		}
	})
}

// TestWhatIsMetered: what was generated, even if its reader has gone, and nothing else.
func TestWhatIsMetered(t *testing.T) {
	inWorld(t, Options{}, func(t *testing.T, w *world) {
		ctx, cancel := context.WithCancel(t.Context())
		broken := errors.New("broken pipe")
		_, err := w.Generate(ctx, "Converse", onDemand, outcrop.GenerateRequest{}, func(string) error { cancel(); return broken })
		if err != broken || len(w.meter.used) != 1 || w.meter.used[0].OutputTokens != 1 {
			t.Errorf("%v, metered %+v", err, w.meter.used)
		}
		w.engine.words, w.engine.err = nil, outcrop.Errorf(outcrop.CodeModelError, "It cannot be loaded.")
		_, err = w.Generate(t.Context(), "Converse", onDemand, outcrop.GenerateRequest{}, nil)
		if outcrop.CodeOf(err) != outcrop.CodeModelError || len(w.meter.used) != 1 {
			t.Errorf("%v, metered %+v", err, w.meter.used)
		}
	})
}

// TestAwait: what is done about a throughput in each of its states.
func TestAwait(t *testing.T) {
	is := func(status outcrop.Status) func(time.Duration) outcrop.Status {
		return func(time.Duration) outcrop.Status { return status }
	}
	until := func(d time.Duration, then outcrop.Status) func(time.Duration) outcrop.Status {
		return func(passed time.Duration) outcrop.Status {
			if passed < d {
				return outcrop.ThroughputCreating
			}
			return then
		}
	}
	for name, c := range map[string]struct {
		status func(passed time.Duration) outcrop.Status
		code   outcrop.Code
		says   string
		after  time.Duration
	}{
		"in service":          {is(outcrop.ThroughputInService), "", "", 0},
		"updating":            {is(outcrop.ThroughputUpdating), "", "", 0},
		"failed":              {is(outcrop.ThroughputFailed), outcrop.CodeModelError, "mine has failed.", 0},
		"gone":                {is(""), outcrop.CodeNotFound, "", 0},
		"soon ready":          {until(time.Second, outcrop.ThroughputInService), "", "", time.Second},
		"ready at the last":   {until(DefaultReadyWait, outcrop.ThroughputInService), "", "", DefaultReadyWait},
		"ready too late":      {until(DefaultReadyWait+1, outcrop.ThroughputInService), outcrop.CodeModelNotReady, "mine has been Creating for longer than 45s.", DefaultReadyWait},
		"fails at last":       {until(time.Second, outcrop.ThroughputFailed), outcrop.CodeModelError, "has failed", time.Second},
		"deleted meanwhile":   {until(time.Second, ""), outcrop.CodeNotFound, "", time.Second},
		"in an unknown state": {is("Strange"), outcrop.CodeInternal, "Strange", 0},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, Options{}, func(t *testing.T, w *world) {
				start := time.Now()
				w.status = func() outcrop.Status { return c.status(time.Since(start)) }
				w.engine.words = nil
				_, err := w.Generate(t.Context(), "Converse", provisioned, outcrop.GenerateRequest{}, nil)
				if c.code == "" && err != nil || c.code != "" && (outcrop.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.says)) {
					t.Errorf("got %v, want %s %q", err, c.code, c.says)
				}
				if passed := time.Since(start); passed != c.after {
					t.Errorf("waited %s, want %s", passed, c.after)
				}
				if asked := len(w.engine.asked) == 1; asked != (c.code == "") {
					t.Errorf("the engine was asked: %v", asked)
				}
			})
		})
	}
}

// TestAwaitEndsWithItsCaller: nobody waits for who has hung up.
func TestAwaitEndsWithItsCaller(t *testing.T) {
	inWorld(t, Options{}, func(t *testing.T, w *world) {
		w.status = func() outcrop.Status { return outcrop.ThroughputCreating }
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := w.Generate(ctx, "Converse", provisioned, outcrop.GenerateRequest{}, nil); err != context.DeadlineExceeded {
			t.Errorf("got %v", err)
		}
	})
}

// TestBeyondCapacity: each resource has its own, and what is beyond it is refused.
func TestBeyondCapacity(t *testing.T) {
	inWorld(t, Options{UnitRunning: 1, UnitWaiting: 1}, func(t *testing.T, w *world) {
		done := make(chan error, 3)
		ask := func(target outcrop.Target) {
			_, err := w.Generate(t.Context(), "Converse", target, outcrop.GenerateRequest{}, nil)
			done <- err
		}
		go ask(provisioned)
		go ask(provisioned)
		synctest.Wait()
		_, err := w.Generate(t.Context(), "Converse", provisioned, outcrop.GenerateRequest{}, nil)
		if outcrop.CodeOf(err) != outcrop.CodeThrottling || !strings.Contains(err.Error(), "1 requests run and 1 wait") {
			t.Errorf("the third: %v", err)
		}
		go ask(onDemand)
		for range 3 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		var took []time.Duration
		for _, u := range w.meter.used {
			took = append(took, u.Latency)
		}
		if slices.Sort(took); !slices.Equal(took, []time.Duration{2 * time.Second, 2 * time.Second, 4 * time.Second}) {
			t.Errorf("the requests took %v: the second must have waited for the first, and the third for none", took)
		}
	})
}

package meter

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/data/store/memory"
)

var (
	scope = outcrop.Scope{Account: "123456789012", Region: "us-east-1"}
	noon  = time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC)
)

func open(t *testing.T, path string) *Meter {
	t.Helper()
	m, err := Open(t.Context(), path, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func usage(at time.Time, resource outcrop.ARN, in, out int64) outcrop.Usage {
	return outcrop.Usage{At: at, Scope: scope, Resource: resource, Operation: "InvokeModel", InputTokens: in, OutputTokens: out, Latency: time.Second}
}

func totals(t *testing.T, m *Meter, f Filter) []Total {
	t.Helper()
	if err := m.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	got, err := m.Totals(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestRestart(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "usage.db")
	m := open(t, path)
	m.Record(t.Context(), usage(noon, "arn:a", 1, 1))
	if err := m.Close(); err != nil { // what waits is written
		t.Fatal(err)
	}
	if got := totals(t, open(t, path), Filter{Resource: "arn:a"}); len(got) != 1 || got[0].Events != 1 {
		t.Errorf("after a restart: %+v", got)
	}
}

// TestOnce: an event of which there is one is counted once, whether it is recorded again
// before it is written or by the next server.
func TestOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "usage.db")
	job := outcrop.Usage{At: noon, Scope: scope, Resource: "arn:job", Operation: "ModelCustomizationJob", TrainingTokens: 7, Once: true}
	for range 2 {
		m := open(t, path)
		m.Record(t.Context(), job)
		m.Record(t.Context(), job)
		m.Record(t.Context(), usage(noon, "arn:model", 1, 2))
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
	}
	totals, err := open(t, path).Totals(t.Context(), Filter{})
	if err != nil {
		t.Fatal(err)
	}
	if len(totals) != 2 || totals[0].Events != 1 || totals[0].TrainingTokens != 7 || totals[1].Events != 2 {
		t.Errorf("totals %+v", totals)
	}
}

// TestFailingDatabase: it does not fail requests, and what could not be written comes later.
func TestFailingDatabase(t *testing.T) {
	t.Parallel()
	m := open(t, filepath.Join(t.TempDir(), "usage.db"))
	if _, err := m.db.Writer.Exec(`ALTER TABLE usage RENAME TO away`); err != nil {
		t.Fatal(err)
	}
	m.Record(t.Context(), usage(noon, "arn:a", 1, 1))
	if err := m.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := m.db.Writer.Exec(`ALTER TABLE away RENAME TO usage`); err != nil {
		t.Fatal(err)
	}
	if got := totals(t, m, Filter{}); len(got) != 1 || got[0].Events != 1 {
		t.Errorf("%+v", got)
	}
}

func TestFullQueueDrops(t *testing.T) {
	t.Parallel()
	m := &Meter{queue: make(chan outcrop.Usage, 2), log: open(t, filepath.Join(t.TempDir(), "usage.db")).log}
	m.metrics = newMetrics(func() float64 { return float64(m.dropped.Load()) })
	for range 5 {
		m.Record(t.Context(), usage(noon, "arn:a", 1, 1))
	}
	if n := m.dropped.Load(); n != 3 {
		t.Errorf("%d dropped", n)
	}
	if page := scrape(t, m); !strings.Contains(page, "outcrop_usage_dropped_total 3") {
		t.Errorf("not shown:\n%s", page)
	}
}

func scrape(t *testing.T, m *Meter) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	return w.Body.String()
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	m := open(t, filepath.Join(t.TempDir(), "usage.db"))
	m.Watch(func(context.Context) (map[outcrop.Kind]map[outcrop.Status]int, error) {
		return map[outcrop.Kind]map[outcrop.Status]int{outcrop.KindJob: {outcrop.JobInProgress: 3, outcrop.JobFailed: 1}}, nil
	}, func() int { return 1 })
	m.Record(t.Context(), usage(noon, "arn:a", 10, 2))
	m.Record(t.Context(), usage(noon, "arn:a", 10, 2))
	m.Record(t.Context(), outcrop.Usage{At: noon, Resource: "arn:job", TrainingTokens: 7})
	h := m.Instrument("bedrock", time.Now, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Query().Get("code") {
		case "429":
			w.WriteHeader(429)
		case "500":
			w.WriteHeader(100) // not the answer
			w.WriteHeader(500)
			w.WriteHeader(200)
		case "400":
			http.Error(w, "", 400)
		case "panic":
			panic(http.ErrAbortHandler)
		}
	}))
	for _, target := range []string{"/model/x/invoke", "/model/x/invoke?code=429", "/model/x/invoke?code=500", "/model/x/invoke?code=400", "/custom-models?code=400", "/model/x/invoke?code=panic"} {
		func() {
			defer func() {
				if e := recover(); e != nil && e != http.ErrAbortHandler {
					panic(e)
				}
			}()
			h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", target, nil))
		}()
	}
	page := scrape(t, m)
	for _, want := range []string{
		`bedrock_invocations_total{model_id="arn:a",operation="InvokeModel"} 2`,
		`bedrock_invocation_latency_seconds_count{model_id="arn:a"} 2`,
		`bedrock_input_token_count_total{model_id="arn:a"} 20`,
		`outcrop_reused_token_count_total{model_id="arn:a"} 0`,
		`bedrock_output_token_count_total{model_id="arn:a"} 4`,
		`bedrock_training_token_count_total 7`,
		`bedrock_invocation_client_errors_total 1`, `bedrock_invocation_server_errors_total 1`, `bedrock_invocation_throttles_total 1`,
		`outcrop_requests_total{code="400",service="bedrock"} 2`, `outcrop_requests_total{code="500",service="bedrock"} 1`,
		`outcrop_requests_total{code="200",service="bedrock"} 2`, `outcrop_request_duration_seconds_count{service="bedrock"} 6`,
		`outcrop_resources{kind="model-customization-job",status="InProgress"} 3`, `outcrop_jobs_running 1`, `outcrop_jobs_queued 2`,
		`go_goroutines`, `process_resident_memory_bytes`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("no %s", want)
		}
	}
	if t.Failed() {
		t.Log(page)
	}
}

func TestInstrumentedHandlerCanFlush(t *testing.T) {
	t.Parallel()
	m := open(t, filepath.Join(t.TempDir(), "usage.db"))
	w := httptest.NewRecorder()
	m.Instrument("bedrock", time.Now, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Error(err)
		}
	})).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if !w.Flushed {
		t.Error("not flushed")
	}
}

func TestManyModelsShareALabel(t *testing.T) {
	t.Parallel()
	m := open(t, filepath.Join(t.TempDir(), "usage.db"))
	for i := range modelsMax {
		if got := m.modelLabel(outcrop.ARN(fmt.Sprint(i))); got == otherModels {
			t.Fatalf("model %d has no label of its own", i)
		}
	}
	if got := m.modelLabel("one more"); got != otherModels {
		t.Errorf("label %q", got)
	}
	if got := m.modelLabel("0"); got != "0" {
		t.Errorf("label %q", got)
	}
}

func TestCountsThatFailAreAnError(t *testing.T) {
	t.Parallel()
	m := open(t, filepath.Join(t.TempDir(), "usage.db"))
	m.Watch(func(context.Context) (map[outcrop.Kind]map[outcrop.Status]int, error) {
		return nil, errors.New("no database")
	}, func() int { return 0 })
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != http.StatusInternalServerError {
		t.Errorf("status %d", w.Code)
	}
}

func TestThroughputHours(t *testing.T) {
	t.Parallel()
	now := noon
	s := memory.New(func() time.Time { return now })
	apply := func(op outcrop.Op, th *outcrop.Throughput) {
		t.Helper()
		if err := s.Apply(t.Context(), outcrop.Change{Op: op, Record: th.Record()}); err != nil {
			t.Fatal(err)
		}
		th.Version++
	}
	create := func(name string, status outcrop.Status, units int) *outcrop.Throughput {
		th := &outcrop.Throughput{Meta: outcrop.Meta{Kind: outcrop.KindThroughput, Scope: scope, ID: name, Name: name, ARN: outcrop.ARN("arn:" + name), Status: status},
			ModelUnits: units, ModelARN: "arn:model"}
		apply(outcrop.OpCreate, th)
		return th
	}
	deleted := create("deleted", outcrop.ThroughputInService, 2)
	create("lives", outcrop.ThroughputInService, 1)
	create("failed", outcrop.ThroughputFailed, 1)
	now = noon.Add(90 * time.Minute)
	apply(outcrop.OpDelete, deleted)
	now = noon.Add(4 * time.Hour)
	create("later", outcrop.ThroughputCreating, 1)
	now = noon.Add(5 * time.Hour)

	for name, tc := range map[string]struct {
		from, to time.Time
		want     map[outcrop.ARN]float64
	}{
		"ever":       {noon.Add(-time.Hour), noon.Add(100 * time.Hour), map[outcrop.ARN]float64{"arn:deleted": 3, "arn:lives": 5, "arn:later": 1}},
		"first hour": {noon, noon.Add(time.Hour), map[outcrop.ARN]float64{"arn:deleted": 2, "arn:lives": 1}},
		"third hour": {noon.Add(2 * time.Hour), noon.Add(3 * time.Hour), map[outcrop.ARN]float64{"arn:lives": 1}},
		"before":     {noon.Add(-time.Hour), noon, map[outcrop.ARN]float64{}},
		"future":     {noon.Add(50 * time.Hour), noon.Add(60 * time.Hour), map[outcrop.ARN]float64{}},
	} {
		hours, err := ThroughputHours(t.Context(), s, scope, tc.from, tc.to, now)
		if err != nil {
			t.Fatal(err)
		}
		got := map[outcrop.ARN]float64{}
		for _, h := range hours {
			got[h.Resource] = h.UnitHours()
		}
		if !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%s: %v, want %v", name, got, tc.want)
		}
	}
}

// BenchmarkRecord measures what metering costs a request.
func BenchmarkRecord(b *testing.B) {
	m, err := Open(b.Context(), filepath.Join(b.TempDir(), "usage.db"), nil, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer m.Close()
	u := usage(noon, "arn:a", 10, 2)
	for b.Loop() {
		m.Record(b.Context(), u)
	}
	b.ReportMetric(float64(m.dropped.Load()), "dropped")
}

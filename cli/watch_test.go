package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/data/iam"
	"outcrop.dev/outcrop/server"
	"outcrop.dev/outcrop/wire/restjson"
)

// answer is one response of a scripted server.
type answer struct {
	status   int
	progress string
	body     string
	reason   outcrop.Reason
}

// scriptedServer answers each request with the next answer, the last one for ever.
func scriptedServer(t *testing.T, answers ...answer) *client {
	t.Helper()
	var mu sync.Mutex
	next := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		a := answers[min(next, len(answers)-1)]
		next++
		if a.progress != "" {
			w.Header().Set(restjson.HeaderProgress, a.progress)
		}
		if a.reason != "" {
			w.Header().Set(restjson.HeaderReason, string(a.reason))
		}
		if a.status != http.StatusOK {
			w.Header().Set("X-Amzn-Errortype", "ResourceNotFoundException")
		}
		w.WriteHeader(a.status)
		fmt.Fprint(w, a.body)
	}))
	t.Cleanup(s.Close)
	return newClient(target{url: s.URL, region: server.DefaultRegion, key: iam.Key{AccessKeyID: "A", SecretAccessKey: "secret"}})
}

func jobBody(status, extra string) string {
	return `{"jobName":"j","status":"` + status + `","creationTime":"2026-01-02T03:04:05Z"` + extra + `}`
}

func TestWatchShowsProgressUntilTheJobEnds(t *testing.T) {
	t.Parallel()
	training := `,"statusDetails":{"trainingDetails":{"status":"InProgress"}},"trainingMetrics":{"trainingLoss":1.5},"validationMetrics":[{"validationLoss":1.25},{"validationLoss":1.75}]`
	api := scriptedServer(t,
		answer{200, "", jobBody("InProgress", `,"statusDetails":{"validationDetails":{"status":"InProgress"}}`), ""},
		answer{200, `{"step":3,"steps":10,"tokensPerSecond":1234.5,"etaSeconds":61}`, jobBody("InProgress", training), ""},
		answer{200, `{"step":10,"steps":10}`, jobBody("Completed", `,"trainingMetrics":{"trainingLoss":0.5}`), ""},
	)
	var out strings.Builder
	job, err := watchJob(t.Context(), api, "j", newProgressLine(&out))
	if err != nil || job.Status != "Completed" {
		t.Fatalf("watchJob: %v, %v", job, err)
	}
	want := "Validating\nTraining  step 3/10  loss 1.500  val 1.500  1234 tok/s  ETA 1m1s\nCompleted  step 10/10  loss 0.500\n"
	if out.String() != want {
		t.Errorf("got:\n%swant:\n%s", out.String(), want)
	}
}

func TestWatchExitCodes(t *testing.T) {
	t.Parallel()
	for status, want := range map[string]int{"Completed": exitOK, "Failed": exitJobFailed, "Stopped": exitJobFailed} {
		a, out := newTestApp(nil)
		err := a.watchAndPrint(t.Context(), scriptedServer(t, answer{200, "", jobBody(status, `,"failureMessage":"too hot"`), ""}), "j")
		if exitCode(err) != want {
			t.Errorf("%s: exit code %d, want %d (%v)", status, exitCode(err), want, err)
		}
		if !strings.Contains(out.String(), "too hot") {
			t.Errorf("%s: the failure message is not shown:\n%s", status, out)
		}
	}
}

func TestWatchOfNoJobFailsAtOnce(t *testing.T) {
	t.Parallel()
	api := scriptedServer(t, answer{404, "", `{"message":"There is no job named j."}`, ""})
	_, err := watchJob(t.Context(), api, "j", newProgressLine(&strings.Builder{}))
	if err == nil || explain(err) != "ResourceNotFoundException: There is no job named j." {
		t.Errorf("%v", err)
	}
}

func TestWatchCanBeInterrupted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	a, out := newTestApp(nil)
	time.AfterFunc(10*time.Millisecond, cancel)
	err := a.watchAndPrint(ctx, scriptedServer(t, answer{200, "", jobBody("InProgress", ""), ""}), "j")
	if exitCode(err) != exitFailure || !strings.Contains(out.String(), "outcrop jobs watch j") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestWatchInJSONKeepsStandardOutputClean(t *testing.T) {
	t.Parallel()
	a, _ := newTestApp(nil)
	var out strings.Builder
	a.out, a.output = &out, outputJSON
	if err := a.watchAndPrint(t.Context(), scriptedServer(t, answer{200, "", jobBody("Completed", ""), ""}), "j"); err != nil {
		t.Fatal(err)
	}
	var job struct{ JobName, Status string }
	if err := json.Unmarshal([]byte(out.String()), &job); err != nil || job.JobName != "j" || job.Status != "Completed" {
		t.Errorf("%v, %+v from:\n%s", err, job, out.String())
	}
}

func TestDrawnLineStaysOnOneLine(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	l := &drawnLine{out: &out}
	loss := 0.25
	l.show(progress{phase: "Validating"})
	for step := range 5 {
		l.show(progress{phase: "Training", loss: &loss, ProgressView: restjson.ProgressView{Step: step, Steps: 4, TokensPerSecond: 99999, ETASeconds: 3599}})
	}
	l.close()
	if n := strings.Count(out.String(), "\n"); n != 1 || !strings.HasSuffix(out.String(), "\n") {
		t.Errorf("%d line ends, want one at the end:\n%q", n, out.String())
	}
	frames := strings.Split(strings.TrimSpace(out.String()), "\r")
	last := frames[len(frames)-1]
	if !strings.Contains(last, "4/4") || !strings.Contains(last, "loss 0.250") || len([]rune(last)) > 80 {
		t.Errorf("the last frame is %q (%d columns), want step 4/4 and the loss within 80 columns", last, len([]rune(last)))
	}
}

func TestPlainLinesHoldBackSteps(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	now := time.Unix(0, 0)
	l := &plainLines{out: &out, now: func() time.Time { return now }}
	for step := 1; step <= 6; step++ {
		l.show(progress{phase: "Training", ProgressView: restjson.ProgressView{Step: step, Steps: 6}})
		now = now.Add(plainInterval / 2)
	}
	want := "Training  step 1/6\nTraining  step 3/6\nTraining  step 5/6\n"
	if out.String() != want {
		t.Errorf("got:\n%swant:\n%s", out.String(), want)
	}
}

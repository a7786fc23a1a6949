package bedrock_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/service/bedrock"
)

// bubble runs test with a service of e that is made in a bubble, in which time passes when nothing
// else can happen. The data of job "n" are s3://data/n.
func bubble(t *testing.T, test func(t *testing.T, e *env, s *bedrock.Service)) {
	e := newEnv(t)
	synctest.Test(t, func(t *testing.T) {
		e.TB = t
		s := e.over(e.store, bedrock.DefaultQuotas())
		defer s.Close()
		test(t, e, s)
	})
}

// request is a request for a job with data of its own.
func request(e *env, name, token string) *bedrock.CreateModelCustomizationJobInput {
	in := direct(jobRequest(name))
	in.ClientRequestToken, in.ValidationDataConfig = token, nil
	in.TrainingDataConfig.S3Uri = "s3://data/" + name
	e.objects.mu.Lock()
	defer e.objects.mu.Unlock()
	if key := "data/" + name; e.objects.data[key] == "" {
		e.objects.data[key] = "rows of " + name
	}
	return in
}

// impatient asks for a job, and goes when patience has passed.
func impatient(e *env, s *bedrock.Service, in *bedrock.CreateModelCustomizationJobInput, patience time.Duration) (arn string, err error) {
	ctx, cancel := context.WithTimeout(e.ctx(), patience)
	defer cancel()
	out, err := s.CreateModelCustomizationJob(ctx, in)
	if err != nil {
		return "", err
	}
	return out.JobArn, nil
}

// held returns the keys under which checks hold data.
func (e *env) held() (keys []string) {
	return slices.DeleteFunc(e.objects.keys(), func(k string) bool { return !strings.HasPrefix(k, ".outcrop/checks/") })
}

// TestARetryJoinsTheCheck: a check takes 50 s, and its caller waits 3 s at a time, with pauses. The
// check is made once, and the job is created as soon as it has ended.
func TestARetryJoinsTheCheck(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, e *env, s *bedrock.Service) {
		e.checker.during = func() { time.Sleep(50 * time.Second) }
		in, began := request(e, "slow", "token"), time.Now()
		var arn string
		for tries := 1; arn == ""; tries++ {
			var err error
			if arn, err = impatient(e, s, in, 3*time.Second); err != nil && (!errors.Is(err, context.DeadlineExceeded) || tries > 12) {
				t.Fatalf("try %d: %v", tries, err)
			}
			time.Sleep(2 * time.Second)
		}
		if took := time.Since(began); took > 55*time.Second || e.checker.count != 1 {
			t.Errorf("%v, %d checks", took, e.checker.count)
		}
		if again, err := impatient(e, s, in, time.Second); again != arn || err != nil || e.checker.count != 1 {
			t.Errorf("the retry of what was created: %s, %v", again, err)
		}
		time.Sleep(2 * bedrock.CheckLinger)
		if keys := e.held(); len(keys) > 0 {
			t.Errorf("held still: %q", keys)
		}
	})
}

// TestACheckOutlivesItsCallerForAMinute: at the limit a retry joins it, one past it begins anew. What
// is dropped ends, and lets go of what it held.
func TestACheckOutlivesItsCallerForAMinute(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pause  time.Duration
		checks int
	}{{bedrock.CheckLinger - time.Millisecond, 1}, {bedrock.CheckLinger + time.Millisecond, 2}} {
		bubble(t, func(t *testing.T, e *env, s *bedrock.Service) {
			e.checker.during = func() { time.Sleep(3 * time.Second) }
			in := request(e, "slow", "token")
			if _, err := impatient(e, s, in, time.Second); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatal(err)
			}
			time.Sleep(c.pause)
			if _, err := impatient(e, s, in, time.Hour); err != nil || e.checker.count != c.checks {
				t.Errorf("after %v: %d checks, %v", c.pause, e.checker.count, err)
			}
		})
	}
}

// TestOtherDataIsAnotherCheck: the key has other bytes when the caller tries again.
func TestOtherDataIsAnotherCheck(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, e *env, s *bedrock.Service) {
		e.checker.during = func() { time.Sleep(3 * time.Second) }
		in := request(e, "slow", "token")
		_, _ = impatient(e, s, in, time.Second)
		e.objects.mu.Lock()
		e.objects.data["data/slow"] = "other rows, and more of them"
		e.objects.mu.Unlock()
		arn, err := impatient(e, s, in, time.Hour)
		if err != nil || e.checker.count != 2 {
			t.Fatalf("%d checks, %v", e.checker.count, err)
		}
		if got := e.inputs(arn); len(got) != 1 || got[0].SHA256 != sumOf("other rows, and more of them") {
			t.Errorf("accepted with %+v", got)
		}
	})
}

func (e *env) inputs(arn string) []outcrop.Input {
	e.Helper()
	rec, err := e.store.Get(e.Context(), outcrop.Key{ARN: outcrop.ARN(arn)})
	if err != nil {
		e.Fatal(err)
	}
	job, err := outcrop.JobOf(rec)
	if err != nil {
		e.Fatal(err)
	}
	return job.Inputs
}

// TestBytesOfTheCheckAreKept: the object is replaced, then deleted, while the check runs.
func TestBytesOfTheCheckAreKept(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	in := request(e, "job", "")
	e.checker.during = func() {
		e.objects.mu.Lock()
		defer e.objects.mu.Unlock()
		delete(e.objects.data, "data/job")
	}
	arn, err := impatient(e, e.service, in, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	want := []outcrop.Input{{URI: "s3://data/job", Size: int64(len("rows of job")), SHA256: sumOf("rows of job")}}
	if got := e.inputs(arn); !slices.Equal(got, want) {
		t.Errorf("accepted with %+v, want %+v", got, want)
	}
	if got := e.objects.object(".outcrop/blobs/" + want[0].SHA256); got != "rows of job" {
		t.Errorf("kept: %q", got)
	}
}

// TestRefusedJobKeepsNothing: whatever refuses a job, S3 is as before, but for the report that the
// error names.
func TestRefusedJobKeepsNothing(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(e *env, in *bedrock.CreateModelCustomizationJobInput){
		"bad rows": func(e *env, _ *bedrock.CreateModelCustomizationJobInput) {
			e.checker.bad = outcrop.Errorf(outcrop.CodeValidation, "line 1")
		},
		"unreadable": func(e *env, _ *bedrock.CreateModelCustomizationJobInput) { e.checker.err = errors.New("disk on fire") },
		"our bug":    func(e *env, _ *bedrock.CreateModelCustomizationJobInput) { e.checker.during = func() { panic("bug") } },
		"name taken": func(e *env, in *bedrock.CreateModelCustomizationJobInput) {
			must(e.service.CreateModelCustomizationJob(e.ctx(), in))(e.TB)
			e.service.Close()
		},
		"the system's bucket": func(e *env, in *bedrock.CreateModelCustomizationJobInput) {
			in.TrainingDataConfig.S3Uri = "s3://.outcrop/blobs/x"
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			in := request(e, "job", "")
			prepare(e, in)
			before := e.objects.keys()
			if _, err := impatient(e, e.service, in, time.Hour); err == nil {
				t.Fatal("the job was created")
			}
			e.service.Close()
			after := slices.DeleteFunc(e.objects.keys(), func(k string) bool { return strings.HasSuffix(k, outcrop.DataReportFile) })
			if !slices.Equal(after, before) {
				t.Errorf("left: %q, before: %q", after, before)
			}
		})
	}
}

// TestChecksTakeTurns: of many creates that come at once, two are checked at a time, in the order in
// which they came; who has gone for good is not checked at all.
func TestChecksTakeTurns(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, e *env, s *bedrock.Service) {
		const n, gone = 24, 20
		running, most := 0, 0
		e.checker.during = func() {
			e.mu.Lock()
			running++
			most = max(most, running)
			e.mu.Unlock()
			time.Sleep(10 * time.Second)
			e.mu.Lock()
			running--
			e.mu.Unlock()
		}
		began := time.Now()
		took := make([]time.Duration, n)
		for i := range n {
			in, patience := request(e, fmt.Sprintf("job-%02d", i), ""), time.Hour
			if i == gone {
				patience = time.Second
			}
			go func() {
				if _, err := impatient(e, s, in, patience); (err == nil) != (i != gone) {
					t.Errorf("job %d: %v", i, err)
				}
				took[i] = time.Since(began)
			}()
			synctest.Wait()
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if most != 2 || e.checker.count != n-1 {
			t.Errorf("%d checks at once, %d in all", most, e.checker.count)
		}
		if took = slices.Delete(took, gone, gone+1); !slices.IsSorted(took) || took[n-2] != (n-1+1)/2*10*time.Second {
			t.Errorf("they took %v", took)
		}
	})
}

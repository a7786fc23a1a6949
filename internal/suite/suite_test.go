package suite

import (
	"slices"
	"testing"
)

func TestFailures(t *testing.T) {
	t.Parallel()
	reached := false
	cases := Cases[int]{
		"passes":       func(t testing.TB, x int) { t.Log(x) },
		"error":        func(t testing.TB, x int) { t.Error(x) },
		"errorf":       func(t testing.TB, x int) { t.Errorf("%d", x) },
		"fatal":        func(t testing.TB, x int) { t.Fatal(x); reached = true },
		"fatalf":       func(t testing.TB, x int) { t.Fatalf("%d", x); reached = true },
		"only if even": func(t testing.TB, x int) { failIf(t, x%2 == 0) },
		"fail now":     func(t testing.TB, _ int) { t.FailNow(); reached = true },
	}
	got := cases.Failures(t, func(testing.TB) int { return 7 })
	if want := []string{"error", "errorf", "fail now", "fatal", "fatalf"}; !slices.Equal(got, want) {
		t.Errorf("failed: %q, want %q", got, want)
	}
	if reached {
		t.Error("a case went on after it had given up")
	}
}

func failIf(t testing.TB, bad bool) {
	if bad {
		t.Fail()
	}
}

func TestRun(t *testing.T) {
	t.Parallel()
	ran := make(chan int, 3)
	t.Run("group", func(t *testing.T) {
		take := func(_ testing.TB, x int) { ran <- x }
		Cases[int]{"a": take, "b": take}.Run(t, func(testing.TB) int { return 5 })
	})
	if len(ran) != 2 || <-ran != 5 {
		t.Errorf("%d cases ran", len(ran))
	}
}

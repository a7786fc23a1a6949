// Package enginetest is the conformance suite that every outcrop.Engine passes, over whatever
// model it is given: it knows no text that a model says.
//
//	func TestConformance(t *testing.T) {
//		enginetest.Run(t, func(t testing.TB) *enginetest.Subject { … })
//	}
package enginetest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/internal/suite"
)

// Subject is an engine under test, and a model of its own that nobody has loaded yet. The model is
// to speak for a while: it answers with some characters at temperature 1.
type Subject struct {
	Engine  outcrop.Engine
	Files   outcrop.ModelFiles
	Context int    // tokens that a prompt and its answer share
	Remove  func() // takes the model's files away
}

// Run runs the suite.
func Run(t *testing.T, open suite.Open[*Subject]) {
	t.Helper()
	cases.Run(t, open)
}

var cases = suite.Cases[*Subject]{
	"PiecesAddUp":         testPiecesAddUp,
	"EmitIsOptional":      testEmitIsOptional,
	"SeedDecides":         testSeedDecides,
	"MaxTokens":           testMaxTokens,
	"StopSequence":        testStopSequence,
	"Logprobs":            testLogprobs,
	"CountTokensIsUsage":  testCountTokensIsUsage,
	"PromptTooLong":       testPromptTooLong,
	"BadMessages":         testBadMessages,
	"EmitFails":           testEmitFails,
	"CancelStops":         testCancelStops,
	"CancelledContext":    testCancelledContext,
	"MissingModel":        testMissingModel,
	"LoadsAreCounted":     testLoadsAreCounted,
	"UnloadWithoutLoad":   testUnloadWithoutLoad,
	"UnloadWhileRunning":  testUnloadWhileRunning,
	"ConcurrentIsTheSame": testConcurrentIsTheSame,
}

// What follows down to generate is all that the suite knows of how an engine is called.

// user is what a person says.
func user(text string) []outcrop.Message {
	return []outcrop.Message{outcrop.Text(outcrop.RoleUser, text)}
}

// load and unload make the model resident, and take that back.
func (s *Subject) load(ctx context.Context) error { return s.Engine.Load(ctx, s.Files) }
func (s *Subject) unload()                        { s.Engine.Unload(s.Files.ID) }

// count counts the tokens of a prompt.
func (s *Subject) count(ctx context.Context, messages []outcrop.Message) (int, error) {
	return s.Engine.CountTokens(ctx, s.Files, messages)
}

// ask is a request whose answer the seed decides.
func (s *Subject) ask(text string, seed uint64) outcrop.GenerateRequest {
	return outcrop.GenerateRequest{Model: s.Files, Messages: user(text), MaxTokens: s.Context / 8, Temperature: 1, TopP: 1, Seed: &seed}
}

// missing is the subject with a model that is not there.
func (s *Subject) missing() *Subject {
	other := *s
	other.Files.ID += "-missing"
	other.Files.Dir += "-missing"
	return &other
}

// generate runs a request that has to succeed.
func (s *Subject) generate(t testing.TB, req outcrop.GenerateRequest) outcrop.GenerateResult {
	t.Helper()
	res, err := s.Engine.Generate(t.Context(), req, nil)
	if err != nil {
		t.Fatalf("Generate: %v", err)
	}
	return res
}

// wantCode compares the code of an error.
func wantCode(t testing.TB, what string, err error, code outcrop.Code) {
	t.Helper()
	if outcrop.CodeOf(err) != code {
		t.Errorf("%s: %v, want %s", what, err, code)
	}
}

// discard is an emit that likes everything.
func discard(string) error { return nil }

func testPiecesAddUp(t testing.TB, s *Subject) {
	for seed := range uint64(8) {
		var pieces []string
		res, err := s.Engine.Generate(t.Context(), s.ask("hi", seed), func(text string) error {
			pieces = append(pieces, text)
			return nil
		})
		if err != nil {
			t.Fatalf("Generate: %v", err)
		}
		if strings.Join(pieces, "") != res.Text {
			t.Errorf("the pieces %q make up %q", pieces, res.Text)
		}
		if i := slices.IndexFunc(pieces, func(p string) bool { return p == "" || !utf8.ValidString(p) }); i >= 0 {
			t.Errorf("piece %d of %q is empty or no UTF-8", i, pieces)
		}
		if res.InputTokens <= 0 || res.OutputTokens <= 0 || res.OutputTokens > s.Context/8 || res.ReusedTokens > res.InputTokens {
			t.Errorf("%+v", res)
		}
		if res.Text == "" {
			t.Error("the subject's model says nothing: it proves nothing")
		}
	}
}

func testEmitIsOptional(t testing.TB, s *Subject) {
	with, err := s.Engine.Generate(t.Context(), s.ask("hi", 1), discard)
	if without := s.generate(t, s.ask("hi", 1)); err != nil || !reflect.DeepEqual(with, without) {
		t.Errorf("%+v, %v; without emit %+v", with, err, without)
	}
}

func testSeedDecides(t testing.TB, s *Subject) {
	texts := map[string]bool{}
	for seed := range uint64(8) {
		first := s.generate(t, s.ask("hi", seed))
		if again := s.generate(t, s.ask("hi", seed)); again.Text != first.Text {
			t.Errorf("seed %d: %q and %q", seed, first.Text, again.Text)
		}
		texts[first.Text] = true
	}
	if len(texts) == 1 {
		t.Error("the seed makes no difference")
	}
}

func testMaxTokens(t testing.TB, s *Subject) {
	for _, limit := range []int{0, 1, 2, 5} {
		req := s.ask("hi", 1)
		req.MaxTokens = limit
		res := s.generate(t, req)
		if res.OutputTokens > limit {
			t.Errorf("%d tokens of at most %d", res.OutputTokens, limit)
		}
		if res.StopReason != outcrop.StopLength && res.StopReason != outcrop.StopEndOfText {
			t.Errorf("ended by %q", res.StopReason)
		}
		if full := res.OutputTokens == limit; !full && res.StopReason == outcrop.StopLength {
			t.Errorf("%d tokens of %d, and ended by %q", res.OutputTokens, limit, res.StopReason)
		}
	}
}

// testStopSequence: a text ends before the first of its stop sequences, and nothing of that is
// ever emitted.
func testStopSequence(t testing.TB, s *Subject) {
	free := s.generate(t, s.ask("hi", 1))
	runes := []rune(free.Text)
	if len(runes) < 4 {
		t.Fatalf("the subject's model says only %q", free.Text)
	}
	stop := string(runes[len(runes)/2 : len(runes)/2+2])
	want, _, _ := strings.Cut(free.Text, stop)
	req := s.ask("hi", 1)
	req.Stop = []string{"this is never said", stop}
	var emitted strings.Builder
	res, err := s.Engine.Generate(t.Context(), req, func(text string) error {
		emitted.WriteString(text)
		return nil
	})
	if err != nil || res.StopReason != outcrop.StopSequence || res.Text != want || emitted.String() != want {
		t.Errorf("stop at %q: %+v, %v, emitted %q; want %q", stop, res, err, emitted.String(), want)
	}
	if res.OutputTokens <= 0 || res.OutputTokens > free.OutputTokens {
		t.Errorf("%d tokens, without the stop sequence %d", res.OutputTokens, free.OutputTokens)
	}
}

func testLogprobs(t testing.TB, s *Subject) {
	req := s.ask("hi", 1)
	req.Logprobs = 3
	res := s.generate(t, req)
	if plain := s.generate(t, s.ask("hi", 1)); plain.Text != res.Text || plain.Logprobs != nil {
		t.Errorf("looking changes %+v to %+v", plain, res)
	}
	if len(res.Logprobs) != res.OutputTokens {
		t.Errorf("%d of %d tokens have theirs", len(res.Logprobs), res.OutputTokens)
	}
	for i, l := range res.Logprobs {
		falling := slices.IsSortedFunc(l.Top, func(a, b outcrop.Logprob) int { return cmp.Compare(b.Logprob, a.Logprob) })
		if len(l.Top) != req.Logprobs || l.Logprob.Logprob > 0 || l.Logprob.Logprob > l.Top[0].Logprob || !falling {
			t.Errorf("token %d: %+v", i, l)
		}
	}
}

func testCountTokensIsUsage(t testing.TB, s *Subject) {
	for _, text := range []string{"hi", "a longer question, with ü and 你好"} {
		n, err := s.count(t.Context(), user(text))
		if res := s.generate(t, s.ask(text, 1)); err != nil || n != res.InputTokens {
			t.Errorf("%q: counted %d, %v; used %d", text, n, err, res.InputTokens)
		}
	}
}

func testPromptTooLong(t testing.TB, s *Subject) {
	_, err := s.Engine.Generate(t.Context(), s.ask(strings.Repeat("word ", 2*s.Context), 1), nil)
	wantCode(t, "a prompt beyond the context", err, outcrop.CodeValidation)
}

func testBadMessages(t testing.TB, s *Subject) {
	twice := append(user("hi"), user("hi")...)
	for what, messages := range map[string][]outcrop.Message{"none": nil, "an unknown role": {outcrop.Text("nobody", "hi")}, "no turns": twice} {
		req := s.ask("", 1)
		req.Messages = messages
		_, err := s.Engine.Generate(t.Context(), req, nil)
		wantCode(t, "Generate, messages: "+what, err, outcrop.CodeValidation)
		_, err = s.count(t.Context(), messages)
		wantCode(t, "CountTokens, messages: "+what, err, outcrop.CodeValidation)
	}
}

// testEmitFails: nothing is emitted any more, and the error comes back as it is.
func testEmitFails(t testing.TB, s *Subject) {
	boom := errors.New("boom")
	calls := 0
	_, err := s.Engine.Generate(t.Context(), s.ask("hi", 1), func(string) error {
		calls++
		return boom
	})
	if !errors.Is(err, boom) || calls != 1 {
		t.Errorf("%v after %d calls", err, calls)
	}
}

// stopTries is how often a cancel may come too late: an engine may be ahead of emit.
const stopTries = 10

func testCancelStops(t testing.TB, s *Subject) {
	for range stopTries {
		ctx, cancel := context.WithCancel(t.Context())
		req := s.ask("hi", 1)
		req.MaxTokens = s.Context / 2
		res, err := s.Engine.Generate(ctx, req, func(string) error {
			cancel()
			return nil
		})
		cancel()
		if errors.Is(err, context.Canceled) && res.OutputTokens < req.MaxTokens {
			return
		}
		if err != nil {
			t.Fatalf("after a cancel: %+v, %v", res, err)
		}
	}
	t.Errorf("%d generations went on after their context had ended", stopTries)
}

func testCancelledContext(t testing.TB, s *Subject) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Engine.Generate(ctx, s.ask("hi", 1), func(text string) error {
		t.Errorf("emitted %q", text)
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Generate after the end of its context: %v", err)
	}
	s.generate(t, s.ask("hi", 1)) // it has harmed nobody
}

func testMissingModel(t testing.TB, s *Subject) {
	none := s.missing()
	wantCode(t, "Load", none.load(t.Context()), outcrop.CodeModelError)
	_, err := none.Engine.Generate(t.Context(), none.ask("hi", 1), nil)
	wantCode(t, "Generate", err, outcrop.CodeModelError)
	_, err = none.count(t.Context(), user("hi"))
	wantCode(t, "CountTokens", err, outcrop.CodeModelError)
	s.generate(t, s.ask("hi", 1))
}

// mustLoad loads the model.
func (s *Subject) mustLoad(t testing.TB) {
	t.Helper()
	if err := s.load(t.Context()); err != nil {
		t.Fatalf("Load: %v", err)
	}
}

// testLoadsAreCounted: a model stays until every Load has been taken back. Its files are gone, so
// that it cannot come again.
func testLoadsAreCounted(t testing.TB, s *Subject) {
	s.mustLoad(t)
	s.mustLoad(t)
	s.unload()
	s.Remove()
	s.generate(t, s.ask("hi", 1))
	s.unload()
	_, err := s.Engine.Generate(t.Context(), s.ask("hi", 1), nil)
	wantCode(t, "Generate after the last Unload", err, outcrop.CodeModelError)
}

func testUnloadWithoutLoad(t testing.TB, s *Subject) {
	s.unload()
	s.mustLoad(t) // which nothing owes an Unload
	s.Remove()
	s.generate(t, s.ask("hi", 1))
	s.missing().unload()
}

// testUnloadWhileRunning: requests end with the model that they began with; then it goes.
func testUnloadWhileRunning(t testing.TB, s *Subject) {
	want := s.generate(t, s.ask("hi", 1))
	s.mustLoad(t)
	once := sync.OnceFunc(func() {
		s.unload()
		s.Remove()
	})
	got, err := s.Engine.Generate(t.Context(), s.ask("hi", 1), func(string) error {
		once()
		return nil
	})
	if err != nil || got.Text != want.Text {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
	_, err = s.Engine.Generate(t.Context(), s.ask("hi", 1), nil)
	wantCode(t, "Generate after the last request", err, outcrop.CodeModelError)
}

func testConcurrentIsTheSame(t testing.TB, s *Subject) {
	const requests = 8
	var want, got [requests]string
	for i := range requests {
		want[i] = s.generate(t, s.ask(fmt.Sprint("question ", i), uint64(i))).Text
	}
	var group sync.WaitGroup
	for i := range requests {
		group.Go(func() {
			res, err := s.Engine.Generate(t.Context(), s.ask(fmt.Sprint("question ", i), uint64(i)), discard)
			if got[i] = res.Text; err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if got != want {
		t.Errorf("together %q\nalone %q", got, want)
	}
}

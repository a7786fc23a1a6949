package infer

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/engine/model"
	"outcrop.dev/outcrop/engine/tensor/gemm"
)

// TestCachedEqualsUncached computes every token from nothing, with every kernel.
func TestCachedEqualsUncached(t *testing.T) {
	t.Parallel()
	dir := tinyModel(t, tinyContext, letters)
	for _, k := range gemm.Kernels() {
		exec := newExec(t, k.Name())
		got := generate(t, newEngine(t, Options{Exec: exec}), ask(dir, "schist", 30))
		s, err := model.LoadServing(dir, exec)
		if err != nil {
			t.Fatal(err)
		}
		tokens := []int32{256, 's', 'c', 'h', 'i', 's', 't', 257}
		var want strings.Builder
		for range 30 {
			session, err := s.NewSession(tinyContext)
			if err != nil {
				t.Fatal(err)
			}
			logits, err := s.Forward([]model.Step{{Session: session, Tokens: tokens}})
			if err != nil {
				t.Fatal(err)
			}
			id, err := argmax(logits)
			if err != nil {
				t.Fatal(err)
			}
			tokens = append(tokens, int32(id))
			want.WriteByte(byte(id))
		}
		if got.Text != want.String() || got.InputTokens != 8 || got.OutputTokens != 30 || got.StopReason != outcrop.StopLength {
			t.Errorf("%s: got %+v, want %q", k.Name(), got, want.String())
		}
	}
}

// several returns requests that differ in everything.
func several(dir string) []outcrop.GenerateRequest {
	var reqs []outcrop.GenerateRequest
	for i := range 12 {
		seed := uint64(i)
		reqs = append(reqs, outcrop.GenerateRequest{
			Model: filesIn(dir), Messages: []outcrop.Message{outcrop.Text(outcrop.RoleUser, strings.Repeat("rock ", i))},
			MaxTokens: 1 + 3*i, Temperature: float64(i%3) * 0.5, TopP: 1 - 0.2*float64(i%2), TopK: i % 4 * 10, Seed: &seed,
		})
	}
	return reqs
}

func TestBatchedEqualsSingle(t *testing.T) {
	t.Parallel()
	dir := tinyModel(t, tinyContext, nil)
	alone := newEngine(t, Options{Sequences: 1})
	together := newEngine(t, Options{Sequences: 5})
	widest, steps := 0, 0
	watch(t, together, dir, func(ss []model.Step) {
		if steps++; steps == 1 && len(ss) == 1 {
			awaitArrived(together, dir, 2)
		}
		widest = max(widest, len(ss))
	})
	var wg sync.WaitGroup
	for i, req := range several(dir) {
		want := generate(t, alone, req)
		for range 3 {
			wg.Go(func() {
				got, err := together.Generate(context.Background(), req, nil)
				if err != nil || !same(got, want) {
					t.Errorf("request %d: got %+v, %v; want %+v", i, got, err, want)
				}
			})
		}
	}
	wg.Wait()
	together.Close()
	if widest < 2 || widest > 5 {
		t.Errorf("the widest batch had %d sequences, want 2 to 5", widest)
	}
}

// TestStreamEqualsWhole uses a model that produces any bytes.
func TestStreamEqualsWhole(t *testing.T) {
	t.Parallel()
	dir := tinyModel(t, tinyContext, nil)
	e := newEngine(t, Options{})
	for i, req := range several(dir) {
		want := generate(t, e, req)
		var got strings.Builder
		res, err := e.Generate(context.Background(), req, func(piece string) error {
			if piece == "" || !utf8.ValidString(piece) {
				t.Errorf("request %d: piece %q", i, piece)
			}
			got.WriteString(piece)
			return nil
		})
		if err != nil || got.String() != want.Text || !same(res, want) {
			t.Errorf("request %d: streamed %q, %+v, %v; want %+v", i, got.String(), res, err, want)
		}
	}
}

func TestStopSequences(t *testing.T) {
	t.Parallel()
	dir := tinyModel(t, tinyContext, letters)
	e := newEngine(t, Options{})
	seed := uint64(3)
	req := ask(dir, "basalt", 40)
	req.Temperature, req.TopK, req.Seed = 1, 10, &seed // about half of the letters have a logit above the others' 0
	whole := generate(t, e, req).Text
	for _, at := range []int{0, 1, 17, 36} {
		stop := whole[at : at+4]
		first := strings.Index(whole, stop)
		req.Stop = []string{"never", stop}
		var shown strings.Builder
		res, err := e.Generate(context.Background(), req, func(s string) error {
			shown.WriteString(s)
			return nil
		})
		want := outcrop.GenerateResult{Text: whole[:first], StopReason: outcrop.StopSequence, InputTokens: 8, OutputTokens: first + 4}
		if err != nil || !same(res, want) || shown.String() != want.Text {
			t.Errorf("stop %q: got %+v, shown %q, %v; want %+v", stop, res, shown.String(), err, want)
		}
	}
	req.Stop = []string{whole[36:] + "x"} // begun when the tokens run out
	if res := generate(t, e, req); res.Text != whole || res.StopReason != outcrop.StopLength {
		t.Errorf("a stop sequence that is only begun: got %+v, want all of %q", res, whole)
	}
}

func TestSeeds(t *testing.T) {
	t.Parallel()
	dir := tinyModel(t, tinyContext, letters)
	drawn := uint64(41)
	e := newEngine(t, Options{Seed: func() uint64 { drawn++; return drawn }})
	req := ask(dir, "gneiss", 40)
	req.Temperature = 1
	texts := map[string]bool{}
	for range 3 {
		texts[generate(t, e, req).Text] = true
	}
	if len(texts) != 3 {
		t.Errorf("three requests without a seed gave %d texts", len(texts))
	}
	seed := uint64(42)
	req.Seed = &seed
	if !texts[generate(t, e, req).Text] {
		t.Error("the seed that was drawn gives another text when it is named")
	}
	req.Temperature = 0
	greedy := generate(t, e, req)
	seed++
	if got := generate(t, e, req); !same(got, greedy) {
		t.Error("a greedy text depends on the seed")
	}
}

func TestEndOfText(t *testing.T) {
	t.Parallel()
	dir := tinyModel(t, tinyContext, func(name string, w []float32) {
		switch name {
		case "lm_head.weight": // the end's logit is the sum of the last hidden state, others are 0
			clear(w)
			for i := range 16 {
				w[tinyEOS*16+i] = 1
			}
		case "model.norm.weight":
			for i := range w {
				w[i] = 1
			}
		}
	})
	e := newEngine(t, Options{})
	ended := 0
	for i := range 20 { // the sum is positive for some prompts
		res := generate(t, e, ask(dir, fmt.Sprint("rock ", i), 5))
		if res.StopReason == outcrop.StopEndOfText {
			ended++
			if res.Text != strings.Repeat("\x00", res.OutputTokens) || res.OutputTokens > 4 {
				t.Errorf("got %+v", res)
			}
		}
	}
	if ended == 0 {
		t.Error("no text was ended by the model")
	}
}

func TestContextLimit(t *testing.T) {
	t.Parallel()
	dir := tinyModel(t, tinyContext, letters)
	e := newEngine(t, Options{})
	// <|bos|> and <|sep|> take two tokens.
	res := generate(t, e, ask(dir, strings.Repeat("x", tinyContext-2-10), 11))
	if res.InputTokens != tinyContext-10 || res.OutputTokens != 10 || res.StopReason != outcrop.StopLength {
		t.Errorf("beyond the context: %+v", res)
	}
	res = generate(t, e, ask(dir, strings.Repeat("x", tinyContext-2-1), 5))
	if res.OutputTokens != 1 || res.StopReason != outcrop.StopLength {
		t.Errorf("the longest prompt: %+v", res)
	}
	_, err := e.Generate(context.Background(), ask(dir, strings.Repeat("x", tinyContext-2), 5), nil)
	wantCode(t, err, outcrop.CodeValidation, "Max input tokens: 95, request input token count: 96")
	_, err = e.Generate(context.Background(), ask(dir, strings.Repeat("x", 1_000_000), 5), nil)
	wantCode(t, err, outcrop.CodeValidation, "Max input tokens: 95, request input token count: more than 384")
}

func TestNoTokens(t *testing.T) {
	t.Parallel()
	e := newEngine(t, Options{})
	res := generate(t, e, ask(tinyModel(t, tinyContext, nil), "x", 0))
	if want := (outcrop.GenerateResult{StopReason: outcrop.StopLength, InputTokens: 3}); !same(res, want) {
		t.Errorf("got %+v, want %+v", res, want)
	}
}

func TestCountTokens(t *testing.T) {
	t.Parallel()
	dir := tinyModel(t, tinyContext, nil)
	e := newEngine(t, Options{})
	n, err := e.CountTokens(context.Background(), filesIn(dir), []outcrop.Message{outcrop.Text(outcrop.RoleSystem, "sys"), outcrop.Text(outcrop.RoleUser, "hello")})
	if err != nil || n != 2+3+2+5 {
		t.Errorf("got %d, %v", n, err)
	}
	_, err = e.CountTokens(context.Background(), filesIn(dir), []outcrop.Message{outcrop.Text(outcrop.RoleAssistant, "hello")})
	wantCode(t, err, outcrop.CodeValidation, "message 1")
	_, err = e.CountTokens(context.Background(), filesIn(dir), nil)
	wantCode(t, err, outcrop.CodeValidation)
}

// TestCancel: no more than one step begins after the context ends, however it ends.
func TestCancel(t *testing.T) {
	t.Parallel()
	dir := tinyModel(t, tinyContext, letters)
	e := newEngine(t, Options{})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	steps := 0
	watch(t, e, dir, func([]model.Step) {
		if steps++; steps == 5 {
			cancel()
		}
	})
	res, err := e.Generate(ctx, ask(dir, "x", 50), nil)
	if !errors.Is(err, context.Canceled) || steps != 5 || res.OutputTokens != 5 || len(res.Text) != 5 || res.InputTokens != 3 {
		t.Errorf("got %+v, %v after %d steps", res, err, steps)
	}
}

func TestEmitFails(t *testing.T) {
	t.Parallel()
	dir := tinyModel(t, tinyContext, letters)
	e := newEngine(t, Options{})
	gone := errors.New("gone")
	third := make(chan bool)
	steps := 0
	watch(t, e, dir, func([]model.Step) {
		if steps++; steps == 3 {
			q := e.models[outcrop.ModelID(dir)].scheduler.active[0]
			close(third)
			<-q.ctx.Done()
		}
	})
	res, err := e.Generate(context.Background(), ask(dir, "x", 50), func(string) error {
		<-third
		return gone
	})
	if err != gone || steps != 3 || res.OutputTokens != 3 {
		t.Errorf("got %+v, %v after %d steps", res, err, steps)
	}
}

func TestDamagedModel(t *testing.T) {
	t.Parallel()
	dir := tinyModel(t, tinyContext, func(name string, w []float32) {
		if name == "model.norm.weight" {
			w[3] = float32(math.NaN())
		}
	})
	_, err := newEngine(t, Options{}).Generate(context.Background(), ask(dir, "x", 5), nil)
	wantCode(t, err, outcrop.CodeModelError, "not finite")
}

// TestPanic: a bug in the model ends the requests of its step, and nothing else.
func TestPanic(t *testing.T) {
	t.Parallel()
	dir := tinyModel(t, tinyContext, letters)
	e := newEngine(t, Options{})
	steps := 0
	watch(t, e, dir, func([]model.Step) {
		if steps++; steps == 2 {
			panic("a bug")
		}
	})
	_, err := e.Generate(context.Background(), ask(dir, "x", 5), nil)
	wantCode(t, err, outcrop.CodeInternal, "a bug")
	if res := generate(t, e, ask(dir, "x", 5)); res.OutputTokens != 5 {
		t.Errorf("afterwards: %+v", res)
	}
}

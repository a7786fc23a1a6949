package enginetest

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/internal/suite"
)

const (
	window = 256
	dir    = "/model"
)

// scripted is an engine without a model: it says words that the seed draws, a token each, and
// counts the bytes of a prompt. It is the second implementation that the suite has.
type scripted struct {
	faults
	mu      sync.Mutex
	removed bool // the model's files
	loaded  bool // it is in memory
	loads   int
	users   int
	meet    chan bool // if not nil, of two requests that run together one gets another answer
}

// faults are what can be broken.
type faults struct {
	dropsPiece, halfRunes, eagerStop, ignoresStop, wantsEmit, drawsSeed, oneSeed, oneMore, miscounts, unlimited, anyMessages, goesOn, deaf,
	deafAfter, manyModels, oneUnload, noUnload, owesLoads, forgetsUsers, wrongLogprobs bool
}

func open(f faults) func(testing.TB) *Subject {
	return func(testing.TB) *Subject {
		e := &scripted{faults: f}
		return &Subject{Engine: e, Files: outcrop.ModelFiles{ID: dir, Dir: dir}, Context: window, Remove: e.remove}
	}
}

func TestScripted(t *testing.T) {
	t.Parallel()
	Run(t, open(faults{}))
}

func (e *scripted) remove() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.removed = true
}

// enter begins a use of the model in d.
func (e *scripted) enter(d string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if d != dir && !e.manyModels || e.removed && !e.loaded {
		return outcrop.Errorf(outcrop.CodeModelError, "There is no model in %s.", d)
	}
	e.loaded = true
	e.users++
	return nil
}

// leave ends a use.
func (e *scripted) leave() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.users--
	e.settle()
}

// settle lets the model go that nobody holds.
func (e *scripted) settle() {
	if e.loads == 0 && e.users == 0 && !e.noUnload {
		e.loaded = false
	}
}

func (e *scripted) Load(_ context.Context, m outcrop.ModelFiles) error {
	if err := e.enter(m.Dir); err != nil {
		return err
	}
	e.mu.Lock()
	e.loads++
	e.mu.Unlock()
	e.leave()
	return nil
}

func (e *scripted) Unload(id outcrop.ModelID) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if id != dir || e.loads == 0 && !e.owesLoads {
		return
	}
	if e.loads--; e.oneUnload {
		e.loads = 0
	}
	if e.forgetsUsers {
		e.users++ // whose end never comes
	}
	e.settle()
}

func (e *scripted) CountTokens(_ context.Context, m outcrop.ModelFiles, messages []outcrop.Message) (int, error) {
	if err := e.enter(m.Dir); err != nil {
		return 0, err
	}
	defer e.leave()
	return e.prompt(messages)
}

func (e *scripted) prompt(messages []outcrop.Message) (tokens int, err error) {
	if !e.anyMessages && (len(messages) != 1 || messages[0].Role != outcrop.RoleUser) {
		return 0, outcrop.Errorf(outcrop.CodeValidation, "Say one thing at a time.")
	}
	for _, m := range messages {
		tokens += len(m.Text())
	}
	return tokens, nil
}

// words returns the tokens that the seed draws.
func (e *scripted) words(req outcrop.GenerateRequest) []string {
	seed := *req.Seed
	if e.drawsSeed {
		seed = rand.Uint64()
	}
	if e.oneSeed {
		seed = 1
	}
	limit := req.MaxTokens
	if e.oneMore {
		limit++
	}
	r := rand.New(rand.NewPCG(seed, 0))
	words := make([]string, limit)
	for i := range words {
		words[i] = []string{"grey ", "gneiss ", "ü ", "banded ", "你好 ", "fold "}[r.IntN(6)]
	}
	return words
}

func (e *scripted) Generate(ctx context.Context, req outcrop.GenerateRequest, emit func(string) error) (outcrop.GenerateResult, error) {
	res := outcrop.GenerateResult{StopReason: outcrop.StopLength}
	if err := e.enter(req.Model.Dir); err != nil {
		return res, err
	}
	defer e.leave()
	var err error
	if res.InputTokens, err = e.prompt(req.Messages); err != nil {
		return res, err
	}
	if res.InputTokens >= window && !e.unlimited {
		return res, outcrop.Errorf(outcrop.CodeValidation, "Too many input tokens.")
	}
	if e.miscounts {
		res.InputTokens++
	}
	if e.meet != nil && emit != nil {
		select {
		case e.meet <- true:
		case <-e.meet:
			req.Seed = new(uint64(1000))
		}
	}
	if emit == nil {
		emit = func(string) error { return nil }
		if e.wantsEmit {
			emit = func(string) error { return context.DeadlineExceeded }
		}
	}
	return e.say(ctx, req, res, emit)
}

// say emits the words up to a stop sequence. What it holds back until its end is simple: all that
// comes after the beginning of a stop sequence in the whole text.
func (e *scripted) say(ctx context.Context, req outcrop.GenerateRequest, res outcrop.GenerateResult, emit func(string) error) (outcrop.GenerateResult, error) {
	words := e.words(req)
	whole := strings.Join(words, "")
	end := len(whole)
	for _, stop := range req.Stop {
		if i := strings.Index(whole, stop); i >= 0 && !e.ignoresStop {
			end = min(end, i)
			res.StopReason = outcrop.StopSequence
		}
	}
	var failed error
	for i, word := range words {
		if err := ctx.Err(); err != nil && !e.deaf && !(e.deafAfter && i > 0) {
			return res, err
		}
		if room := end - len(res.Text); room < len(word) {
			word = word[:room]
			if e.eagerStop {
				_ = emit(words[i])
			}
		}
		if word == "" && res.StopReason == outcrop.StopSequence {
			break
		}
		res.OutputTokens++
		res.Text += word
		if req.Logprobs > 0 {
			res.Logprobs = append(res.Logprobs, e.logprobs(req.Logprobs))
		}
		if failed = e.emit(emit, i, word); failed != nil && !e.goesOn {
			return res, failed
		}
	}
	return res, failed
}

func (e *scripted) emit(emit func(string) error, i int, word string) error {
	switch {
	case e.dropsPiece && i == 3:
		return nil
	case e.halfRunes:
		if err := emit(word[:1]); err != nil {
			return err
		}
		word = word[1:]
	}
	return emit(word)
}

func (e *scripted) logprobs(n int) outcrop.TokenLogprobs {
	top := make([]outcrop.Logprob, n)
	for i := range top {
		top[i].Logprob = -float64(i + 1)
	}
	if e.wrongLogprobs {
		slices.Reverse(top)
	}
	return outcrop.TokenLogprobs{Logprob: top[0], Top: top}
}

// TestSuiteFails: every case finds what it is there to find.
func TestSuiteFails(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		f    faults
		want []string
	}{
		"nothing":                     {faults{}, nil},
		"a piece is lost":             {faults{dropsPiece: true}, []string{"PiecesAddUp"}},
		"half a character":            {faults{halfRunes: true}, []string{"PiecesAddUp"}},
		"a stop sequence is shown":    {faults{eagerStop: true}, []string{"StopSequence"}},
		"stop sequences are ignored":  {faults{ignoresStop: true}, []string{"StopSequence"}},
		"emit is needed":              {faults{wantsEmit: true}, []string{"EmitIsOptional"}},
		"the seed is drawn":           {faults{drawsSeed: true}, []string{"SeedDecides"}},
		"the seed is forgotten":       {faults{oneSeed: true}, []string{"SeedDecides"}},
		"one token more":              {faults{oneMore: true}, []string{"MaxTokens"}},
		"usage is miscounted":         {faults{miscounts: true}, []string{"CountTokensIsUsage"}},
		"no end to the context":       {faults{unlimited: true}, []string{"PromptTooLong"}},
		"any messages":                {faults{anyMessages: true}, []string{"BadMessages"}},
		"emit's error changes little": {faults{goesOn: true}, []string{"EmitFails"}},
		"deaf":                        {faults{deaf: true}, []string{"CancelStops", "CancelledContext"}},
		"deaf after the first token":  {faults{deafAfter: true}, []string{"CancelStops"}},
		"a model for every name":      {faults{manyModels: true}, []string{"MissingModel"}},
		"one Unload undoes all":       {faults{oneUnload: true}, []string{"LoadsAreCounted"}},
		"nothing leaves":              {faults{noUnload: true}, []string{"LoadsAreCounted", "UnloadWhileRunning"}},
		"Loads are owed":              {faults{owesLoads: true}, []string{"UnloadWithoutLoad"}},
		"a request's end is missed":   {faults{forgetsUsers: true}, []string{"LoadsAreCounted", "UnloadWhileRunning"}},
		"logprobs rise":               {faults{wrongLogprobs: true}, []string{"Logprobs"}},
	} {
		got := cases.Failures(t, open(tc.f))
		for _, want := range tc.want {
			if !slices.Contains(got, want) {
				t.Errorf("%s: %s passes", name, want)
			}
		}
		if len(tc.want) == 0 && len(got) > 0 {
			t.Errorf("%s: %q fail", name, got)
		}
	}
}

func TestCrosstalkIsFound(t *testing.T) {
	t.Parallel()
	alone := suite.Cases[*Subject]{"ConcurrentIsTheSame": testConcurrentIsTheSame}
	got := alone.Failures(t, func(t testing.TB) *Subject {
		s := open(faults{})(t)
		s.Engine.(*scripted).meet = make(chan bool)
		return s
	})
	if len(got) == 0 {
		t.Error("requests may disturb each other")
	}
}

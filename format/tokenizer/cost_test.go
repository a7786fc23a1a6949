package tokenizer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
)

// repeated is n times a part, as a JSON list.
func repeated(part string, n int) string {
	return "[" + strings.TrimSuffix(strings.Repeat(part+",", n), ",") + "]"
}

func quoted(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

func replace(old, with string) string {
	return fmt.Sprintf(`{"type":"Replace","pattern":{"String":%s},"content":%s}`, quoted(old), quoted(with))
}

func normalizers(parts string) map[string]string {
	return map[string]string{"normalizer": `{"type":"Sequence","normalizers":` + parts + `}`}
}

func split(regex string) map[string]string {
	return map[string]string{"pre_tokenizer": fmt.Sprintf(`{"type":"Split","behavior":"Isolated","pattern":{"Regex":%s}}`, quoted(regex))}
}

// hostile are files whose parts blow a text up, or ask for endless work, with a text that shows it.
func hostile() map[string]struct {
	parts map[string]string
	text  string
	found bool // for certain by Check, or when the file is read
} {
	omega := replace("Ω", strings.Repeat("Ω", 1000))
	long := strings.Repeat("a", 30_000) + "!"
	type c = struct {
		parts map[string]string
		text  string
		found bool
	}
	return map[string]c{
		"four times 1,000 Ω":        {normalizers(repeated(omega, 4)), "Ω", true},
		"one time 1,000 Ω":          {normalizers(repeated(omega, 1)), strings.Repeat("Ω", 10_000), true},
		"a pattern's replacement":   {normalizers(repeated(`{"type":"Replace","pattern":{"Regex":"[^b]"},"content":"`+strings.Repeat("a", 10_000)+`"}`, 2)), "a", true},
		"the empty text":            {normalizers(repeated(replace("", "aa"), 40)), "a", true},
		"bytes as characters":       {normalizers(repeated(`{"type":"ByteLevel"}`, 40)), "é", true},
		"a prefix, again and again": {normalizers(repeated(`{"type":"Prepend","prepend":"`+strings.Repeat("a", 1<<20)+`"}`, 20)), "a", true},
		"many that find nothing":    {normalizers(repeated(replace("xyz", "x"), partsMax)), strings.Repeat("a", 1<<18), false},
		"pre-tokenizers' bytes": {map[string]string{"pre_tokenizer": `{"type":"Sequence","pretokenizers":` +
			repeated(`{"type":"ByteLevel","use_regex":false,"add_prefix_space":false}`, 40) + `}`}, "é", true},
		"many pre-tokenizers": {map[string]string{"pre_tokenizer": `{"type":"Sequence","pretokenizers":` +
			repeated(`{"type":"Digits"}`, partsMax) + `}`}, strings.Repeat("1a", 1<<18), false},
		"an added token": {map[string]string{"normalizer": `{"type":"Sequence","normalizers":` + repeated(omega, 4) + `}`,
			"added_tokens": `[{"id":2,"content":"Ω","normalized":true}]`}, "Ω", true},
		"a decoder": {map[string]string{"decoder": `{"type":"Sequence","decoders":` +
			repeated(replace("a", strings.Repeat("a", 1000)), 4) + `}`}, "", true},
		"a decoder's spaces": {map[string]string{"decoder": `{"type":"Sequence","decoders":` + repeated(`{"type":"BPEDecoder","suffix":""}`, 60) + `}`}, "", true},
		"a slow decoder":     {map[string]string{"decoder": `{"type":"Replace","pattern":{"Regex":"(a+)+$"},"content":"x"}`}, "", true},
		"an added token's beginning everywhere": {map[string]string{"added_tokens": `[{"id":2,"content":"` + strings.Repeat("a", 1000) + `b","normalized":false}]`},
			strings.Repeat("a", 1<<18), false},
		"a long word of many": {map[string]string{"pre_tokenizer": `{"type":"WhitespaceSplit"}`, "model": `{"type":"WordPiece","max_input_chars_per_word":10000,"continuing_subword_prefix":"","unk_token":"a","vocab":{"a":0,"` +
			strings.Repeat("a", 9_000) + `b":1}}`}, strings.Repeat(strings.Repeat("a", 9_999)+" ", 100), false},
		"long tokens everywhere": {map[string]string{"model": unigramOf(strings.Repeat("a", tokenBytesMax))}, strings.Repeat("a", 1<<18), false},
		"a long prefix of each character": {map[string]string{"model": `{"type":"BPE","merges":[],"continuing_subword_prefix":"` + strings.Repeat("p", 1<<20) + `","vocab":{"a":0}}`},
			strings.Repeat("a", 10_000), true},
		"(a+)+$":            {split("(a+)+$"), long, true},
		"(a|aa|aaa)+$":      {split("(a|aa|aaa)+$"), long, true},
		"(Ж*)*Q":            {split("(Ж*)*Q"), strings.Repeat("Ж", 10_000), true},
		"(x+x+)+y":          {split("(x+x+)+y"), strings.Repeat("x", 10_000), true},
		"a cube":            {split(`(?:\s*\s*\s*[^\s]\s[^\s]|.)`), strings.Repeat(" ", 20_000), true},
		"a square":          {split(`(?:[a-c]*[d-e]|.)`), long, false},
		"many slow pieces":  {split(`(?:(?:a|b|ab)+c|[ab]+|.)`), strings.Repeat(strings.Repeat("ab", 12)+" ", 10_000), true},
		"a slow normalizer": {normalizers(repeated(`{"type":"Replace","pattern":{"Regex":"(a+)+$"},"content":"x"}`, 1)), long, true},
	}
}

// TestHostileFiles: each is found when the file is read or checked, or ends with a *CostError when a
// text shows it; and never in more than the time and the memory that a text of its size may take.
func TestHostileFiles(t *testing.T) {
	for name, c := range hostile() {
		tok, err := Parse(smallFile(t, c.parts))
		if err == nil {
			err = tok.Check()
		}
		if c.found && err == nil {
			t.Errorf("%s: not found", name)
		}
		var cost *CostError
		if err != nil && !errors.As(err, &cost) {
			t.Errorf("%s: %v is no *CostError", name, err)
		}
		if tok == nil || c.text == "" {
			continue
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		start := time.Now()
		_, _, err = tok.EncodeSegments(Segment{c.text, true})
		took := time.Since(start)
		runtime.ReadMemStats(&after)
		if !errors.As(err, &cost) {
			t.Errorf("%s: encoded, %v", name, err)
			continue
		}
		made := after.TotalAlloc - before.TotalAlloc
		t.Logf("%s: %v, %d MiB made: %v", name, took.Round(time.Millisecond), made>>20, err)
		if most := uint64(1<<30 + 512*len(c.text)); made > most {
			t.Errorf("%s: %d MiB made", name, made>>20)
		}
		if len(err.Error()) > 300 {
			t.Errorf("%s: an error of %d bytes", name, len(err.Error()))
		}
	}
}

// TestCheckTakesWhatIsPublished: no kind of tokenizer is refused.
func TestCheckTakesWhatIsPublished(t *testing.T) {
	t.Parallel()
	if raceEnabled {
		t.Skip("SKIPPED: under the race detector patterns take many times as long, and the limit is time of the processor")
	}
	for _, name := range kindNames(t) {
		tok, _ := loadKind(t, name)
		if err := tok.Check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestPatternsTime: what the patterns take of the processor is bounded for a whole request, however
// many texts it has, and ends with its context.
func TestPatternsTime(t *testing.T) {
	tok, err := Parse(smallFile(t, split("(a+)+$")))
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("a", 30_000) + "!"
	within := tok.Within(t.Context())
	var cost *CostError
	short := strings.Repeat("a", 20) + "!" // some milliseconds
	for range 1000 {
		if _, err = within.Encode(short); err != nil {
			break
		}
	}
	if !errors.As(err, &cost) || !strings.Contains(err.Error(), `"(a+)+$" takes more than 100ms`) {
		t.Errorf("1,000 texts of some milliseconds: %v", err)
	}
	within = tok.Within(t.Context())
	if _, err = within.Encode(long); !errors.As(err, &cost) {
		t.Error(err)
	}
	if used := within.work.watch.used; used > matchTime { // half of it, but a busy machine may end a match late
		t.Errorf("a long text took %v of the processor", used)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := tok.Within(ctx).Encode(strings.Repeat(long, 100)); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end of the context: %v", err)
	}
}

// TestDecoderEnds: a decoder that makes too much of a stream only when its tokens are joined says nothing
// more, and says why.
func TestDecoderEnds(t *testing.T) {
	t.Parallel()
	thousand := replace("a", strings.Repeat("a", 1000))
	tok, err := Parse(smallFile(t, map[string]string{"decoder": `{"type":"Sequence","decoders":[{"type":"Fuse"},` + thousand + `,` + thousand + `]}`}))
	if err != nil {
		t.Fatal(err)
	}
	for n, want := range map[int]bool{1: false, 10: true} {
		d, made := tok.NewDecoder(), 0
		for range n {
			made += len(d.Push(0))
		}
		made += len(d.Flush())
		var cost *CostError
		if errors.As(d.Err(), &cost) != want || made > madeBase+madePerByte*n*(1+tokenWork) || !want && made != 1000*1000 {
			t.Errorf("%d tokens: %d bytes, %v", n, made, d.Err())
		}
	}
}

// TestBusyMachine: a clock that has run out is no reason to refuse a text that takes no time.
func TestBusyMachine(t *testing.T) {
	t.Parallel()
	tok, err := Parse(smallFile(t, split("[a-z]+|.")))
	if err != nil {
		t.Fatal(err)
	}
	want, err := tok.Encode("a b ab")
	if err != nil {
		t.Fatal(err)
	}
	busy := tok.Within(t.Context())
	busy.work.watch.exact = true
	for range 100 {
		if got, err := busy.Encode("a b ab"); err != nil || len(got) != len(want) {
			t.Fatal(got, err)
		}
	}
}

// TestCostAtItsLimits: the longest text that may be made, and one byte more; the most work, and one more.
func TestCostAtItsLimits(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("b", 1000)
	most := madeBase + madePerByte*len(text)
	for past := range 2 {
		w := newWork(t.Context())
		w.grow(len(text))
		if err := w.fits(most + past); (err != nil) != (past > 0) {
			t.Errorf("%d bytes: %v", most+past, err)
		}
		if err := w.spend(workBase + workPerByte*len(text) + past); (err != nil) != (past > 0) {
			t.Errorf("work: %v", err)
		}
	}
	for past := range 2 {
		for part, list := range map[string][2]string{"normalizer": {"normalizers", "NFC"}, "pre_tokenizer": {"pretokenizers", "Whitespace"}, "decoder": {"decoders", "Fuse"}} {
			value := fmt.Sprintf(`{"type":"Sequence",%q:%s}`, list[0], repeated(fmt.Sprintf(`{"type":%q}`, list[1]), partsMax+past))
			if _, err := Parse(smallFile(t, map[string]string{part: value})); (err != nil) != (past > 0) {
				t.Errorf("%s: %d parts: %v", part, partsMax+past, err)
			}
		}
	}
}

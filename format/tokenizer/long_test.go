package tokenizer

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// longTime is how long 1 MiB of anything may take. It takes a tenth of that on a machine that
// has nothing else to do; what is quadratic takes minutes.
const longTime = 2 * time.Second

// longTexts times 1 MiB of each unit with each kind.
func longTexts(t *testing.T, limit time.Duration, kinds, units []string) {
	for _, name := range kinds {
		tok, _ := loadKind(t, name)
		for _, unit := range units {
			text := strings.Repeat(unit, 1<<20/len(unit))
			start := time.Now()
			if _, _, err := tok.EncodeSegments(Segment{text, true}); err != nil {
				t.Errorf("%s: %q: %v", name, unit, err)
			}
			d := time.Since(start)
			if d > limit {
				t.Errorf("%s: 1 MiB of %q took %v", name, unit, d)
			}
			t.Logf("%s: 1 MiB of %q: %v", name, unit, d)
		}
	}
}

// TestLongTexts: the common worst; TestAllLongTexts, with the tag long, has all. Here
// the limit is wide, because other tests run beside this one.
func TestLongTexts(t *testing.T) {
	t.Parallel()
	longTexts(t, 10*longTime, []string{"llama3", "llama2", "unigram-bytes"}, []string{"a", " "})
}

// bigFile is a byte-level file of the size of Llama 3's: 128k tokens and 280k merges.
func bigFile(tb testing.TB) []byte {
	tb.Helper()
	const size, merges = 128_000, 280_000
	r := rand.New(rand.NewPCG(1, 2))
	vocab, tokens := map[string]int{}, []string{}
	for b := range 256 {
		tokens = append(tokens, EncodeByteLevel([]byte{byte(b)}))
		vocab[tokens[b]] = b
	}
	var pairs [][2]string
	for len(tokens) < size {
		a, b := tokens[r.IntN(min(len(tokens), 3000))], tokens[r.IntN(min(len(tokens), 3000))]
		if _, ok := vocab[a+b]; ok || len(a+b) > 24 {
			continue
		}
		vocab[a+b] = len(tokens)
		tokens = append(tokens, a+b)
		pairs = append(pairs, [2]string{a, b})
	}
	for _, token := range tokens[256:] { // other ways to the same token
		for i := 1; i < len(token) && len(pairs) < merges; i++ {
			_, okA := vocab[token[:i]]
			_, okB := vocab[token[i:]]
			if okA && okB {
				pairs = append(pairs, [2]string{token[:i], token[i:]})
			}
		}
	}
	b, err := json.Marshal(map[string]any{
		"pre_tokenizer": map[string]any{"type": "ByteLevel", "use_regex": true},
		"decoder":       map[string]any{"type": "ByteLevel"},
		"model":         map[string]any{"type": "BPE", "vocab": vocab, "merges": pairs},
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Logf("%d tokens, %d merges, %d bytes", len(tokens), len(pairs), len(b))
	return b
}

func BenchmarkLoadBig(b *testing.B) {
	file := bigFile(b)
	b.SetBytes(int64(len(file)))
	for b.Loop() {
		if _, err := Parse(file); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncodeKinds(b *testing.B) {
	text := strings.Repeat("The patient can't sleep, and they'll see her again at 10:45 on 12 January 2031.\nfor i := range 10 {\n\tfmt.Println(i, x[i])\n}\n", 200)
	mixed := strings.Repeat("Größe, naïve façade, 中文和English混排,测试。日本語テスト、カナ。 한국어 시험입니다. हिन्दी क्षत्रिय العربيّة 🙂 text\n", 150)
	for _, name := range []string{"gpt2", "llama3", "qwen2", "deepseek", "llama2", "gemma", "t5", "unigram-bytes", "bert"} {
		tok, _ := loadKind(b, name)
		for i, text := range []string{text, mixed} {
			b.Run(fmt.Sprintf("%s/%s", name, [...]string{"english", "mixed"}[i]), func(b *testing.B) {
				b.SetBytes(int64(len(text)))
				var ids []int32
				for b.Loop() {
					ids, _ = tok.AppendEncode(ids[:0], text)
				}
			})
		}
	}
}

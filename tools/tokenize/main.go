// Command tokenize answers questions about tokenizers, for programs that compare
// format/tokenizer with another implementation (tools/parity/tokenizer_kinds.py).
//
//	tokenize < questions.jsonl > answers.jsonl
//
// A question is a line {"tokenizer": FILE, "texts": ["…"], "decode": [[1, 2]]}. Its answer is
// a line with, for each text, the ids of it as ordinary text (plain), with the special tokens
// that it spells (special) and with what the file puts round it (post), where its tokens
// begin (starts), and for each list of ids its text (decoded), which is also checked against
// the stream's. What fails is in errors.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"

	"outcrop.dev/outcrop/format/tokenizer"
)

type question struct {
	Tokenizer string    `json:"tokenizer"`
	Texts     []string  `json:"texts"`
	Decode    [][]int32 `json:"decode"`
}

type answer struct {
	Plain   [][]int32 `json:"plain"`
	Special [][]int32 `json:"special"`
	Post    [][]int32 `json:"post"`
	Starts  [][]int   `json:"starts"`
	Decoded []string  `json:"decoded"`
	Errors  []string  `json:"errors"`
}

func main() {
	in := json.NewDecoder(os.Stdin)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for in.More() {
		var q question
		if err := in.Decode(&q); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		if err := json.NewEncoder(out).Encode(q.answer()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

func (q question) answer() (a answer) {
	t, err := tokenizer.Load(q.Tokenizer)
	if err != nil {
		a.Errors = append(a.Errors, err.Error())
		return a
	}
	for _, text := range q.Texts {
		a.encode(t, text)
	}
	for _, ids := range q.Decode {
		d, stream := t.NewDecoder(), ""
		for _, id := range ids {
			stream += d.Push(id)
		}
		stream += d.Flush()
		text := t.Decode(ids)
		if stream != text {
			a.Errors = append(a.Errors, fmt.Sprintf("%v decodes to %q and streams as %q", ids, text, stream))
		}
		a.Decoded = append(a.Decoded, text)
	}
	return a
}

func (a *answer) encode(t *tokenizer.Tokenizer, text string) {
	plain, err := t.Encode(text)
	if err != nil {
		a.Errors = append(a.Errors, fmt.Sprintf("%q: %v", text, err))
	}
	special, starts, err := t.EncodeSegments(tokenizer.Segment{Text: text, Special: true})
	if err != nil {
		a.Errors = append(a.Errors, fmt.Sprintf("%q: %v", text, err))
	}
	a.Plain = append(a.Plain, append([]int32{}, plain...)) // never null
	a.Special = append(a.Special, append([]int32{}, special...))
	a.Starts = append(a.Starts, starts)
	a.Post = append(a.Post, append([]int32{}, t.PostProcess(special)...))
}

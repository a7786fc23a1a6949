package cli

import (
	"encoding/json"
	"fmt"
	"math"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"outcrop.dev/outcrop/engine/model"
	"outcrop.dev/outcrop/format/tokenizer"
)

const modelLogitsLong = `Compute the logits of the token that comes next, so that anyone can check what this engine
computes against another. DIR is a model in Hugging Face layout. Text is encoded with its tokenizer.json,
and no token is put in front of it.

Set OUTCROP_KERNEL=ref-f32 to compute in float32 with plain code.

  outcrop model logits DIR --tokens 1,2,3
  outcrop model logits DIR --text "Once upon" --output json`

// logitsRequest is what the flags ask for.
type logitsRequest struct {
	dir     string
	tokens  []int32
	text    string
	all     bool // after every token, not after the last alone
	top     int  // rows of the table for each position
	threads threadsFlag
}

// modelLogits is the report of the command.
type modelLogits struct {
	Model     string         `json:"model"`
	Kernel    string         `json:"kernel"`
	Tokens    []int32        `json:"tokens"`
	Positions []tokensLogits `json:"positions"`
}

// tokensLogits is what the model expects after the token at one position.
type tokensLogits struct {
	Position int       `json:"position"` // from 0
	Logits   []float32 `json:"logits"`   // (V)
}

func (a *app) modelLogitsCommand() *cobra.Command {
	var r logitsRequest
	c := &cobra.Command{
		Use:   "logits DIR",
		Short: "Compute the logits of the next token, to compare with another engine",
		Long:  modelLogitsLong,
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			r.dir = args[0]
			if c.Flags().Changed("tokens") == c.Flags().Changed("text") {
				return usagef("say either --tokens or --text")
			}
			if c.Flags().Changed("text") && r.text == "" {
				return usagef("--text is empty: there is no token to follow")
			}
			if r.top < 1 {
				return usagef("--top must be at least 1")
			}
			return a.modelLogits(&r)
		},
	}
	f := c.Flags()
	f.Int32SliceVar(&r.tokens, "tokens", nil, "`ids` of the tokens, separated by commas")
	f.StringVar(&r.text, "text", "", "text in place of tokens")
	f.BoolVar(&r.all, "all", false, "what follows every token, not the last alone")
	f.IntVar(&r.top, "top", 10, "how many of the likeliest tokens the table shows")
	f.Var(&r.threads, "threads", "threads; 0 is one for each core")
	return c
}

func (a *app) modelLogits(r *logitsRequest) error {
	words, err := r.words()
	if err != nil {
		return err
	}
	report, err := a.computeLogits(r)
	if err != nil {
		return err
	}
	if a.output == outputJSON {
		b, err := json.Marshal(report)
		if err != nil {
			return fmt.Errorf("%s: %w", r.dir, err) // NaN or Inf: the weights are damaged
		}
		a.printf("%s\n", b)
		return nil
	}
	var rows [][]any
	for _, p := range report.Positions {
		rows = append(rows, likeliest(p, r.top, words)...)
	}
	a.printRows([]string{"after", "token", "text", "logit", "probability"}, rows)
	return nil
}

// words sets r.tokens from r.text, and returns how to spell a token: as nothing, if the
// tokens were given as ids and the directory has no tokenizer.
func (r *logitsRequest) words() (spell func(int32) string, err error) {
	t, err := tokenizer.Load(filepath.Join(r.dir, tokenizer.File))
	switch {
	case err != nil && r.text != "":
		return nil, err
	case err != nil:
		return func(int32) string { return "" }, nil
	}
	if r.text != "" {
		if r.tokens, err = t.Encode(r.text); err != nil {
			return nil, err
		}
	}
	return func(id int32) string { return fmt.Sprintf("%q", t.Decode([]int32{id})) }, nil
}

// computeLogits runs the model as generation does: weights packed, with a cache.
func (a *app) computeLogits(r *logitsRequest) (*modelLogits, error) {
	exec, err := a.exec(r.threads.count())
	if err != nil {
		return nil, err
	}
	defer exec.Pool.Close()
	s, err := model.LoadServing(r.dir, exec)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	session, err := s.NewSession(len(r.tokens))
	if err != nil {
		return nil, err
	}
	report := &modelLogits{Model: r.dir, Kernel: exec.Kernel.Name(), Tokens: r.tokens}
	for _, part := range r.parts() {
		logits, err := s.Forward([]model.Step{{Session: session, Tokens: part}})
		if err != nil {
			return nil, err
		}
		report.Positions = append(report.Positions, tokensLogits{session.Len() - 1, logits})
	}
	return report, nil
}

// parts cuts the tokens where logits are wanted.
func (r *logitsRequest) parts() [][]int32 {
	if r.all {
		return slices.Collect(slices.Chunk(r.tokens, 1))
	}
	return [][]int32{r.tokens}
}

// likeliest returns the rows of the table for one position.
func likeliest(p tokensLogits, top int, words func(int32) string) (rows [][]any) {
	ids := make([]int32, len(p.Logits))
	for i := range ids {
		ids[i] = int32(i)
	}
	slices.SortStableFunc(ids, func(a, b int32) int {
		switch x, y := p.Logits[a], p.Logits[b]; {
		case x > y:
			return -1
		case x < y:
			return 1
		}
		return 0
	})
	var sum float64
	for _, x := range p.Logits {
		sum += math.Exp(float64(x - p.Logits[ids[0]]))
	}
	for _, id := range ids[:min(top, len(ids))] {
		x := p.Logits[id]
		rows = append(rows, []any{p.Position, id, words(id), fmt.Sprintf("%.4f", x), fmt.Sprintf("%.4f", math.Exp(float64(x-p.Logits[ids[0]]))/sum)})
	}
	return rows
}

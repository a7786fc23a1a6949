package customize

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"outcrop.dev/outcrop/engine/model"
	"outcrop.dev/outcrop/engine/train"
)

const (
	// parityRows is how many rows the two ways through the model are compared on.
	parityRows = 16
	// parityTokens is how much of a document they are compared on.
	parityTokens = 256
	// parityTokensMax is how many tokens the rows may have together, unless the first has more: their
	// keys and values are in memory at the same time.
	parityTokensMax = parityRows * parityTokens
	// parityTolerance is the largest difference of the two losses, per token. The arithmetic is
	// the same bit for bit; only the sums of the loss are taken differently.
	parityTolerance = 1e-5
)

// parity is the proof that a finished model, as it lies on disk, answers as it was trained:
// the loss of some rows as training computes it, and token by token with a cache as serving
// does. It also holds how surely the model ends where the data do.
type parity struct {
	Rows         int     `json:"rows"`
	Tokens       int     `json:"tokens"` // trained ones, of which the losses are means
	TrainingLoss float64 `json:"trainingLoss"`
	ServingLoss  float64 `json:"servingLoss"`
	Tolerance    float64 `json:"tolerance"`
	EndOfText    ends    `json:"endOfText"`
}

// ends is the probability of the end of text after whole completions.
type ends struct {
	Rows int     `json:"rows"` // that were not cut off
	Mean float64 `json:"mean"`
	Min  float64 `json:"min"`
}

func (p parity) holds() bool { return math.Abs(p.TrainingLoss-p.ServingLoss) <= p.Tolerance } // false for NaN

func (p parity) json() []byte {
	b, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		panic("customize: a parity record that cannot be marshalled: " + err.Error()) // holds has seen to NaN
	}
	return append(b, '\n')
}

// onDisk is a model as it lies on disk: a directory, or the base's and the adapter's.
type onDisk struct{ base, adapter string }

// load reads the model for evaluation.
func (d onDisk) load(exec model.Exec) (*model.Model, error) {
	m, err := model.LoadFrozen(d.base, exec)
	if err == nil && d.adapter != "" {
		if err = m.LoadAdapter(d.adapter); err != nil {
			return nil, errors.Join(err, m.Close())
		}
	}
	return m, err
}

// serve reads the model for generation and returns what makes its sessions.
func (d onDisk) serve(exec model.Exec) (*model.Serving, func(tokens int) (*model.Session, error), error) {
	m, err := model.LoadServing(d.base, exec)
	if err != nil {
		return nil, nil, err
	}
	if d.adapter == "" {
		return m, m.NewSession, nil
	}
	a, err := m.LoadAdapter(d.adapter)
	if err != nil {
		return nil, nil, errors.Join(err, m.Close())
	}
	return m, a.NewSession, nil
}

// parityExamples returns the rows that are compared: the first ones.
func parityExamples(examples []train.Example) []train.Example {
	tokens := 0
	for i, e := range examples {
		if tokens += len(e.Tokens); i == parityRows || i > 0 && tokens > parityTokensMax {
			return examples[:i]
		}
	}
	return examples
}

// parityBytes is the most memory that the keys and values of so many rows take, none of which has
// more than longest tokens.
func parityBytes(c model.Config, exec model.Exec, rows, longest int) int64 {
	all := min(rows, parityRows) * c.SessionBytes(exec.Kernel, longest)
	page := c.SessionBytes(exec.Kernel, 1)
	return int64(min(all, c.SessionBytes(exec.Kernel, max(parityTokensMax, longest))+parityRows*page))
}

// alive is called after each row, or token of the rows.
func measureParity(d onDisk, exec model.Exec, examples []train.Example, endOfText int32, alive func()) (parity, error) {
	p := parity{Rows: len(examples), Tolerance: parityTolerance}
	trained, err := trainingLoss(d, exec, examples, alive)
	if err != nil {
		return p, err
	}
	served, err := serveRows(d, exec, examples, endOfText, alive)
	if err != nil {
		return p, err
	}
	p.Tokens, p.TrainingLoss, p.ServingLoss, p.EndOfText = trained.Tokens, trained.Mean(), served.loss.Mean(), served.ends()
	if served.loss.Tokens != trained.Tokens {
		return p, fmt.Errorf("serving saw %d trained tokens, training %d", served.loss.Tokens, trained.Tokens)
	}
	return p, nil
}

// trainingLoss evaluates the model with the training's forward pass.
func trainingLoss(d onDisk, exec model.Exec, examples []train.Example, alive func()) (total model.Loss, err error) {
	m, err := d.load(exec)
	if err != nil {
		return total, err
	}
	defer m.Close()
	longest := 0
	for _, e := range examples {
		longest = max(longest, len(e.Tokens))
	}
	// The least memory: nothing is computed again where there is no backward pass.
	if err := m.Plan(model.Budget{Tokens: longest, Longest: longest, Recompute: true}); err != nil {
		return total, err
	}
	var b model.Batch
	for _, e := range examples {
		b.Reset()
		b.Add(e.Tokens, e.Targets)
		loss, err := m.Evaluate(&b)
		if err != nil {
			return total, err
		}
		total.Add(loss)
		alive()
	}
	return total, nil
}

// served is what serving says to some rows.
type served struct {
	loss      model.Loss
	endOfText int32
	endsP     []float64 // of each row that ends with the end of text
}

func (s *served) ends() (e ends) {
	e.Rows = len(s.endsP)
	for i, p := range s.endsP {
		e.Mean += p / float64(len(s.endsP))
		if i == 0 || p < e.Min {
			e.Min = p
		}
	}
	return e
}

// serveRows feeds the rows to the model as serving does: the prompt at once, then
// token by token, all rows side by side.
func serveRows(d onDisk, exec model.Exec, examples []train.Example, endOfText int32, alive func()) (*served, error) {
	m, newSession, err := d.serve(exec)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	s := &served{endOfText: endOfText}
	sessions := make([]*model.Session, len(examples))
	for i, e := range examples {
		if sessions[i], err = newSession(len(e.Tokens)); err != nil {
			return nil, err
		}
	}
	for {
		var steps []model.Step
		var rows []int
		for i, e := range examples {
			if from := sessions[i].Len(); from < len(e.Tokens) {
				steps = append(steps, model.Step{Session: sessions[i], Tokens: e.Tokens[from:stepEnd(e, from)]})
				rows = append(rows, i)
			}
		}
		if len(steps) == 0 {
			return s, nil
		}
		alive()
		logits, err := m.Forward(steps)
		if err != nil {
			return nil, err
		}
		for k, i := range rows {
			s.note(logits[k*m.Vocab:(k+1)*m.Vocab], examples[i], sessions[i].Len()-1)
		}
	}
}

// stepEnd returns the end of the tokens that go in one step from from on: through the first
// whose target is trained.
func stepEnd(e train.Example, from int) int {
	for i := from; i < len(e.Targets); i++ {
		if e.Targets[i] != model.Ignore {
			return i + 1
		}
	}
	return len(e.Tokens)
}

// note takes the logits after token i of an example.
func (s *served) note(logits []float32, e train.Example, i int) {
	target := e.Targets[i]
	if target == model.Ignore {
		return
	}
	loss := crossEntropy(logits, target)
	s.loss.Add(model.Loss{Sum: loss, Tokens: 1})
	if i == len(e.Targets)-1 && target == s.endOfText {
		s.endsP = append(s.endsP, math.Exp(-loss))
	}
}

// crossEntropy is log Σ exp(logits) − logits[target], in float64.
func crossEntropy(logits []float32, target int32) float64 {
	most := math.Inf(-1)
	for _, x := range logits {
		most = max(most, float64(x))
	}
	var sum float64
	for _, x := range logits {
		sum += math.Exp(float64(x) - most)
	}
	return math.Log(sum) + most - float64(logits[target])
}

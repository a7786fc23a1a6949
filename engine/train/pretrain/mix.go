package pretrain

import (
	"math"

	"outcrop.dev/outcrop/engine/train"
)

// mix is the source of a run: at each step BatchTokens tokens, cut at document boundaries,
// with the stage's share of instructions.
type mix struct {
	stages      []mixStage
	batchTokens int
	batch       []train.Example
}

// mixStage is a Stage in steps and positions: its step n takes the positions that follow
// from where the stage began in its two streams.
type mixStage struct {
	from, until      int // steps
	share            float64
	corpus, instruct *stream
	// positions of the streams at step from
	corpusAt, instructAt int
}

func newMix(c Config, corpora map[int]*stream, instructs map[int]*stream) *mix {
	m := &mix{batchTokens: c.BatchTokens}
	from := 0
	// Stages of one sequence length go on where the one before stopped.
	corpusAt, instructAt := map[int]int{}, map[int]int{}
	for _, s := range c.Stages {
		st := mixStage{
			from: from, until: int(math.Round(s.Until * float64(c.Steps))), share: s.Instruct,
			corpus: corpora[s.Sequence], instruct: instructs[s.Sequence],
			corpusAt: corpusAt[s.Sequence], instructAt: instructAt[s.Sequence],
		}
		m.stages = append(m.stages, st)
		_, corpusAt[s.Sequence], _, instructAt[s.Sequence] = m.positions(st, st.until-1)
		from = st.until
	}
	return m
}

// positions returns what step takes of the two streams of its stage.
func (m *mix) positions(s mixStage, step int) (corpusFrom, corpusTo, instructFrom, instructTo int) {
	at := func(step int) (corpus, instruct int) {
		tokens := (step - s.from) * m.batchTokens
		instruct = int(s.share * float64(tokens))
		return s.corpusAt + tokens - instruct, s.instructAt + instruct
	}
	corpusFrom, instructFrom = at(step)
	corpusTo, instructTo = at(step + 1)
	return
}

// Examples returns the examples of a step; they are valid until the next call.
func (m *mix) Examples(step int) []train.Example {
	i := 0
	for step >= m.stages[i].until && i < len(m.stages)-1 {
		i++
	}
	s := m.stages[i]
	m.batch = m.batch[:0]
	add := func(e train.Example) { m.batch = append(m.batch, e) }
	corpusFrom, corpusTo, instructFrom, instructTo := m.positions(s, step)
	s.corpus.take(corpusFrom, corpusTo, add)
	s.instruct.take(instructFrom, instructTo, add)
	return m.batch
}

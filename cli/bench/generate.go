package bench

import (
	"errors"
	"fmt"

	"outcrop.dev/outcrop/engine/model"
	"outcrop.dev/outcrop/engine/tensor/roofline"
)

// GenerateReport is the speed of reading prompts and of generating, greedily, for one
// session and for several that share each pass through the weights.
type GenerateReport struct {
	Shape    Shape
	Kernel   string
	Threads  int
	Sessions int
	Prompt   float64 // tokens a second of one prompt, the median
	Generate float64 // tokens a second of all sessions together, the median
	// The same of the fastest runs.
	BestPrompt, BestGenerate float64
	Weights                  int     // bytes of weights
	Read                     int     // of them that every token, of all sessions together, reads
	Bandwidth                float64 // bytes a second that the machine reads from memory
	PeakRSS                  int64   // bytes
}

// String is four lines for a person.
func (r GenerateReport) String() string {
	return fmt.Sprintf("generate %s (%s), kernel %s, %d threads\n"+
		"  prompt of %d: %.0f tokens/s (best %.0f); then %d tokens, %d sessions together: %.0f tokens/s (best %.0f)\n"+
		"  %.1f GB/s of weights, %.0f%% of the %.1f GB/s that the machine reads from memory\n"+
		"  weights %.0f MiB, peak memory %.0f MiB",
		r.Shape.Name, r.Shape.About, r.Kernel, r.Threads,
		r.Shape.Prompt, r.Prompt, r.BestPrompt, r.Shape.Generate, r.Sessions, r.Generate, r.BestGenerate,
		r.rate()/1e9, 100*r.rate()/r.Bandwidth, r.Bandwidth/1e9,
		float64(r.Weights)/(1<<20), float64(r.PeakRSS)/(1<<20))
}

// rate returns the bytes of weights a second that the best run has read.
func (r GenerateReport) rate() float64 {
	return float64(r.Read) * r.BestGenerate / float64(r.Sessions)
}

// Generate measures sessions that generate together. Errors: no memory.
func Generate(e Env, s Shape, sessions int) (GenerateReport, error) {
	m, err := model.New(s.Model, e.Exec)
	if err != nil {
		return GenerateReport{}, err
	}
	m.Init(seed)
	serving, err := m.Serving()
	if err := errors.Join(err, m.Close()); err != nil {
		return GenerateReport{}, err
	}
	defer serving.Close()
	g := generation{serving: serving, prompt: randomTokens(s.Prompt, s.Model.Vocab)}
	for range sessions {
		n, err := serving.NewSession(s.Prompt + s.Generate)
		if err != nil {
			return GenerateReport{}, err
		}
		g.steps = append(g.steps, model.Step{Session: n})
	}
	prompts, err := e.measure(g.read)
	if err != nil {
		return GenerateReport{}, err
	}
	if err := g.readAll(); err != nil {
		return GenerateReport{}, err
	}
	tokens, err := e.measure(func() error { return g.generate(s.Generate) })
	if err != nil {
		return GenerateReport{}, err
	}
	bandwidth, err := roofline.ReadBandwidth(e.Now, e.Exec.Pool)
	if err != nil {
		return GenerateReport{}, err
	}
	prompt, answers := float64(s.Prompt), float64(sessions*s.Generate)
	return GenerateReport{
		Shape: s, Kernel: e.Exec.Kernel.Name(), Threads: e.Exec.Pool.Threads(), Sessions: sessions,
		Prompt: prompt / median(prompts), Generate: answers / median(tokens),
		BestPrompt: prompt / prompts[0], BestGenerate: answers / tokens[0],
		Weights: serving.Bytes(), Read: serving.ReadBytes(), Bandwidth: bandwidth, PeakRSS: peakRSS(),
	}, nil
}

type generation struct {
	serving *model.Serving
	prompt  []int32
	steps   []model.Step // one of each session
	next    []int32      // the token that each session chose
}

// read reads the prompt into the first session.
func (g *generation) read() error {
	g.steps[0].Session.Truncate(0)
	_, err := g.serving.Forward([]model.Step{{Session: g.steps[0].Session, Tokens: g.prompt}})
	return err
}

func (g *generation) readAll() error {
	for i := range g.steps {
		g.steps[i].Session.Truncate(0)
		g.steps[i].Tokens = g.prompt
	}
	return g.forward()
}

// generate lets every session generate n tokens after its prompt.
func (g *generation) generate(n int) error {
	for i := range g.steps {
		g.steps[i].Session.Truncate(len(g.prompt))
	}
	for range n {
		for i := range g.steps {
			g.steps[i].Tokens = g.next[i : i+1]
		}
		if err := g.forward(); err != nil {
			return err
		}
	}
	return nil
}

// forward runs the steps and chooses the likeliest token of each.
func (g *generation) forward() error {
	logits, err := g.serving.Forward(g.steps)
	if err != nil {
		return err
	}
	v := g.serving.Vocab
	g.next = make([]int32, len(g.steps))
	for i := range g.next {
		for j, x := range logits[i*v : (i+1)*v] {
			if x > logits[i*v+int(g.next[i])] {
				g.next[i] = int32(j)
			}
		}
	}
	return nil
}

package infer

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/model"
	"outcrop.dev/outcrop/nn"
)

// pebbleShaped writes a random model of Pebble's shape, with its tokenizer.
func pebbleShaped(b *testing.B) string {
	b.Helper()
	const pebble = "../catalog/pebble"
	c, err := model.ReadConfig(pebble)
	if err != nil {
		b.Fatal(err)
	}
	dir := saveModel(b, c, func(p *nn.Param) {
		if p.Name == "model.embed_tokens.weight" { // also the head: logits as uneven as a trained model's
			scale(p.W, 10)
		}
	})
	from, err := os.Open(filepath.Join(pebble, "tokenizer.json"))
	if err != nil {
		b.Fatal(err)
	}
	defer from.Close()
	to, err := os.Create(filepath.Join(dir, "tokenizer.json"))
	if err != nil {
		b.Fatal(err)
	}
	defer to.Close()
	if _, err := io.Copy(to, from); err != nil {
		b.Fatal(err)
	}
	return dir
}

// BenchmarkGenerate reports the tokens per second that all requests together get.
func BenchmarkGenerate(b *testing.B) {
	dir := pebbleShaped(b)
	for _, requests := range []int{1, 4, 16} {
		b.Run(fmt.Sprintf("requests=%d", requests), func(b *testing.B) {
			e := newEngine(b, Options{Exec: newExec(b, "")})
			if err := e.Load(context.Background(), outcrop.ModelFiles{Dir: dir}); err != nil {
				b.Fatal(err)
			}
			req := ask(dir, "Summarize this patient note: 65yo female with acute onset aphasia.", 64)
			req.Temperature, req.TopP = 0.7, 0.9
			var mu sync.Mutex
			tokens := 0
			for b.Loop() {
				var wg sync.WaitGroup
				for i := range requests {
					seed := uint64(i)
					wg.Go(func() {
						req := req
						req.Seed = &seed
						res, err := e.Generate(context.Background(), req, func(string) error { return nil })
						if err != nil {
							b.Error(err)
						}
						mu.Lock()
						defer mu.Unlock()
						tokens += res.OutputTokens
					})
				}
				wg.Wait()
			}
			b.ReportMetric(float64(tokens)/b.Elapsed().Seconds(), "tok/s")
		})
	}
}

package infer

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/engine/model"
	"outcrop.dev/outcrop/engine/nn"
)

// pebbleShaped writes a random model of Pebble's shape, with its tokenizer.
func pebbleShaped(b *testing.B) string {
	b.Helper()
	const pebble = "../../models/catalog/pebble"
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
	for _, requests := range []int{1, 4, 16, 32} {
		b.Run(fmt.Sprintf("requests=%d", requests), func(b *testing.B) {
			e := newEngine(b, Options{Exec: newExec(b, "")})
			if err := e.Load(context.Background(), filesIn(dir)); err != nil {
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

// BenchmarkSecondTurn reports the time from the second question of a conversation to the first
// token of its answer, with and without reuse. The first question is long: the text that both are
// about.
func BenchmarkSecondTurn(b *testing.B) {
	dir := pebbleShaped(b)
	for _, noReuse := range []bool{false, true} {
		b.Run(fmt.Sprintf("reuse=%v", !noReuse), func(b *testing.B) {
			e := newEngine(b, Options{Exec: newExec(b, ""), NoReuse: noReuse})
			if err := e.Load(context.Background(), filesIn(dir)); err != nil {
				b.Fatal(err)
			}
			req := ask(dir, strings.Repeat("Patient is a 65yo female with acute onset aphasia. ", 30), 32)
			req.Messages = append(req.Messages, outcrop.Text(outcrop.RoleAssistant, "Stroke."), outcrop.Text(outcrop.RoleUser, "Why?"))
			first := req
			first.Messages = req.Messages[:1]
			req.MaxTokens = 1
			var res outcrop.GenerateResult
			for i := 0; b.Loop(); i++ {
				b.StopTimer()
				first.Tenant = fmt.Sprint("tenant ", i)
				req.Tenant = first.Tenant
				generate(b, e, first)
				b.StartTimer()
				res = generate(b, e, req)
			}
			b.ReportMetric(float64(res.InputTokens), "prompt-tokens")
			b.ReportMetric(float64(res.ReusedTokens), "reused-tokens")
		})
	}
}

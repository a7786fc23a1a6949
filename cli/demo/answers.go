package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime"
)

// answers are a model's texts, one for each held-out row, and the time they took.
type answers struct {
	texts []string
	took  time.Duration
}

// askers is how many requests are under way at a time: one for each core of the smallest
// machine that Outcrop is meant for.
const askers = 2

// ask puts every held-out prompt to a model, greedily.
func (r *run) ask(ctx context.Context, model string) (answers, error) {
	a := answers{texts: make([]string, len(r.heldOut))}
	began := time.Now()
	errs := make([]error, len(r.heldOut))
	next := make(chan int)
	var wg sync.WaitGroup
	for range askers {
		wg.Go(func() {
			for i := range next {
				a.texts[i], errs[i] = r.invoke(ctx, model, r.heldOut[i].Prompt)
			}
		})
	}
	for i := range r.heldOut {
		next <- i
	}
	close(next)
	wg.Wait()
	a.took = time.Since(began)
	return a, errors.Join(errs...)
}

// titanRequest and titanResponse are the parts of Titan's InvokeModel bodies that the demo uses.
type titanRequest struct {
	InputText string           `json:"inputText"`
	Config    generationConfig `json:"textGenerationConfig"`
}

type generationConfig struct {
	MaxTokenCount int     `json:"maxTokenCount"`
	Temperature   float64 `json:"temperature"`
}

type titanResponse struct {
	Results []struct {
		OutputText string `json:"outputText"`
	} `json:"results"`
}

func (r *run) invoke(ctx context.Context, model, prompt string) (string, error) {
	body, err := json.Marshal(titanRequest{prompt, generationConfig{MaxTokenCount: r.MaxTokens}})
	if err != nil {
		return "", err
	}
	out, err := r.runtime.InvokeModel(ctx, &bedrockruntime.InvokeModelInput{ModelId: aws.String(model), Body: body})
	if err != nil {
		return "", err
	}
	var answer titanResponse
	if err := json.Unmarshal(out.Body, &answer); err != nil {
		return "", fmt.Errorf("read the answer of InvokeModel: %w", err)
	}
	if len(answer.Results) != 1 {
		return "", fmt.Errorf("InvokeModel answered with %d results, want one", len(answer.Results))
	}
	return strings.TrimSpace(answer.Results[0].OutputText), nil
}

// exact counts the answers that are, letter for letter, what the data says.
func exact(rows []row, a answers) int {
	n := 0
	for i, r := range rows {
		if a.texts[i] == strings.TrimSpace(r.Completion) {
			n++
		}
	}
	return n
}

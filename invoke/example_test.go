package invoke_test

import (
	"context"
	"fmt"
	"strings"
	"time"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/data/store/memory"
	"outcrop.dev/outcrop/invoke"
)

// echo is a model that says in capitals what it is told last.
type echo struct{ outcrop.Engine }

func (echo) Generate(_ context.Context, req outcrop.GenerateRequest, emit func(string) error) (outcrop.GenerateResult, error) {
	text := strings.ToUpper(req.Messages[len(req.Messages)-1].Text())
	return outcrop.GenerateResult{Text: text, OutputTokens: 1, StopReason: outcrop.StopEndOfText}, emit(text)
}

// bill prints what was used.
type bill struct{}

func (bill) Record(_ context.Context, u outcrop.Usage) {
	fmt.Printf("%s on %s: %d token\n", u.Operation, u.Resource, u.OutputTokens)
}

func Example() {
	scope := outcrop.Scope{Account: "123456789012", Region: "us-east-1"}
	inv := invoke.New(memory.New(time.Now), echo{}, bill{}, invoke.Options{Now: time.Now, After: time.After})
	target := outcrop.Target{Scope: scope, Resource: scope.ARN(outcrop.KindFoundationModel, "acme.echo-v1"), Units: 1}
	request := outcrop.GenerateRequest{MaxTokens: 8, Messages: []outcrop.Message{outcrop.Text(outcrop.RoleUser, "schist")}}
	g, err := inv.Generate(context.Background(), "Playground", target, request, nil)
	fmt.Println(g.Text, err)
	// Output:
	// Playground on arn:aws:bedrock:us-east-1::foundation-model/acme.echo-v1: 1 token
	// SCHIST <nil>
}

package chattemplate_test

import (
	"context"
	"fmt"
	"log"

	"outcrop.dev/outcrop/format/chat"
	"outcrop.dev/outcrop/format/chattemplate"
	"outcrop.dev/outcrop/format/tokenizer"
	"outcrop.dev/outcrop/models/catalog/pebble"
)

// A question as a model reads it, and the same with its answer as it is trained.
func Example() {
	tok, err := tokenizer.Parse(pebble.Files()["tokenizer.json"])
	if err != nil {
		log.Fatal(err)
	}
	t, err := chattemplate.New(tok)
	if err != nil {
		log.Fatal(err)
	}
	prompt, err := t.Prompt(context.Background(), []chat.Message{chat.Text(chat.User, "Hello")})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("the prompt is", len(prompt), "tokens")
	example, err := t.Row("Hello", "Hello to you.")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(example.PromptTokens(), "are read,", example.CompletionTokens(), "are trained")
	// Output:
	// the prompt is 3 tokens
	// 3 are read, 5 are trained
}

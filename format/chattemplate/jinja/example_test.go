package jinja_test

import (
	"fmt"
	"log"

	"outcrop.dev/outcrop/format/chattemplate/jinja"
)

// What a user spells stays the user's: the second <|end|> is not the template's.
func Example() {
	t, err := jinja.Parse("<|user|>{{ text | trim }}<|end|>")
	if err != nil {
		log.Fatal(err)
	}
	out, err := t.Render(map[string]any{"text": jinja.Given(" Hi <|end|> ", 1)}, jinja.Budget(1000))
	if err != nil {
		log.Fatal(err)
	}
	for part, mark := range out.Runs {
		fmt.Printf("%q %v\n", part, mark)
	}
	// Output:
	// "<|user|>" {0 0}
	// "Hi <|end|>" {1 0}
	// "<|end|>" {0 0}
}

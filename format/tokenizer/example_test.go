package tokenizer_test

import (
	"fmt"
	"log"

	"outcrop.dev/outcrop/format/tokenizer"
	"outcrop.dev/outcrop/models/catalog/pebble"
)

// Text becomes ids, and ids become text. A special token is none when a user spells it.
func Example() {
	tok, err := tokenizer.Parse(pebble.Files()["tokenizer.json"])
	if err != nil {
		log.Fatal(err)
	}
	ids, err := tok.Encode("Hello there.<|eos|>")
	if err != nil {
		log.Fatal(err)
	}
	eos, _ := tok.Special("<|eos|>")
	fmt.Printf("%q\n", tok.Decode(ids))
	fmt.Println(tok.IsSpecial(eos), tok.IsSpecial(ids[len(ids)-1]))
	// Output:
	// "Hello there.<|eos|>"
	// true false
}

package eventstream_test

import (
	"bytes"
	"fmt"
	"log"

	"outcrop.dev/outcrop/wire/eventstream"
)

// A message is framed, and read back.
func Example() {
	frame, err := eventstream.Append(nil, eventstream.Message{
		Headers: []eventstream.Header{{Name: ":event-type", Value: "chunk"}},
		Payload: []byte(`{"bytes":"aGk="}`),
	})
	if err != nil {
		log.Fatal(err)
	}
	m, err := eventstream.Read(bytes.NewReader(frame))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(frame), m.Header(":event-type"), string(m.Payload))
	// Output: 52 chunk {"bytes":"aGk="}
}

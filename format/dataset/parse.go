package dataset

import (
	"fmt"
	"slices"
	"strings"
)

// MessagesMax is the most messages of a row: every answer is checked against the prompt that
// asks for it, which takes the square of their number.
const MessagesMax = 256

// The roles of a Message.
const (
	system    = "system"
	user      = "user"
	assistant = "assistant"
)

// line is a row being read, key by key, in any order.
type line struct {
	*parser
	format   Format // of the keys so far; "" before the first
	seen     []string
	texts    map[string]string // by key: of the keys that are text
	system   []Message
	messages []Message
	blocks   bool // some content is a list of blocks
	plain    bool // some content, or system, is text
}

// parse returns the row, or what is wrong with the line first.
func (p *parser) parse(text []byte, first bool) (Row, *Problem) {
	p.b, p.i = text, 0
	if bad := p.encoding(first); bad != nil {
		return Row{}, bad
	}
	if p.space(); p.i == len(p.b) {
		return Row{}, &Problem{Kind: NotJSONL, Reason: "is blank: remove it, also at the end of the file"}
	}
	if bad := p.begins(); bad != nil {
		return Row{}, bad
	}
	l := line{parser: p, texts: map[string]string{}}
	if bad := p.object(l.member); bad != nil {
		return Row{}, bad
	}
	if p.space(); p.i < len(p.b) {
		return Row{}, p.syntax("there is text after the object: write one object on each line, nothing else")
	}
	return l.row()
}

// begins sees to it that an object begins here.
func (p *parser) begins() *Problem {
	switch p.b[p.i] {
	case '{':
		return nil
	case '[':
		return p.syntax("a JSON array: write one object such as " + Completions.shape() + " on each line, without brackets or commas between them")
	case ',', ']', '}':
		return p.syntax("this line is not an object: write each object on one line, without line breaks inside")
	}
	return p.syntax("this is not a JSON object: write " + Completions.shape())
}

// member reads the value of a key.
func (l *line) member(key string) (bad *Problem) {
	if bad := l.checkKey(key); bad != nil {
		return bad
	}
	l.seen = append(l.seen, key)
	switch {
	case key == "messages":
		return l.readMessages()
	case key == "system" && l.peek() == '[':
		l.blocks = true
		return l.array(func(i int) *Problem {
			text, bad := l.block(fmt.Sprintf("system[%d]", i))
			l.system = append(l.system, Message{system, text})
			return bad
		})
	case key == "system":
		l.plain = true
		var text string
		if text, bad = l.text(key); bad == nil {
			l.system = append(l.system, Message{system, text})
			bad = notBlank(key, text)
		}
		return bad
	}
	l.texts[key], bad = l.text(key)
	return bad
}

// checkKey refuses a key that no format has, or not the one of the keys before.
func (l *line) checkKey(key string) *Problem {
	f := family(key)
	switch {
	case slices.Contains(l.seen, key):
		return content("key %s occurs twice: keep one", short(key))
	case f == "" && rightCase(key) != "":
		return content("key %s must be written %q", short(key), rightCase(key))
	case f == "" && l.format == "":
		return content(`key %s is not known: a row has "prompt" and "completion", or "messages", or "input"`, short(key))
	case f == "":
		return content("key %s is not known: a row has the keys %q and no other", short(key), l.format.keys())
	case l.format != "" && l.format != f:
		return content("key %s does not belong beside %s: write %s or %s", short(key), short(l.seen[0]), l.format.shape(), f.shape())
	}
	l.format = f
	return nil
}

func (l *line) readMessages() *Problem {
	if l.peek() != '[' {
		return l.wrongType("messages", "an array of messages")
	}
	return l.array(func(i int) *Problem {
		if i == MessagesMax {
			return &Problem{Kind: TooLong, Reason: fmt.Sprintf("there are more than %d messages: split the conversation", MessagesMax)}
		}
		return l.readMessage(fmt.Sprintf("messages[%d]", i))
	})
}

// readMessage reads one of the messages, which at says.
func (l *line) readMessage(at string) *Problem {
	if l.peek() != '{' {
		return l.wrongType(at, `an object with "role" and "content"`)
	}
	var m Message
	var seen []string
	bad := l.object(func(key string) (bad *Problem) {
		switch {
		case slices.Contains(seen, key):
			return content("key %s of %s occurs twice: keep one", short(key), at)
		case key == "role":
			m.Role, bad = l.text(at + ".role")
		case key == "content":
			m.Text, bad = l.readContent(at + ".content")
		default:
			return content(`key %s of %s is not known: a message has exactly "role" and "content"`, short(key), at)
		}
		seen = append(seen, key)
		return bad
	})
	if bad != nil {
		return bad
	}
	for _, key := range []string{"role", "content"} {
		if !slices.Contains(seen, key) {
			return content("key %q of %s is missing", key, at)
		}
	}
	l.messages = append(l.messages, m)
	return nil
}

// readContent reads a message's content: text, or blocks of text, which become lines as in a
// request of Converse.
func (l *line) readContent(at string) (string, *Problem) {
	if l.peek() != '[' {
		l.plain = true
		text, bad := l.text(at)
		if bad == nil {
			bad = notBlank(at, text)
		}
		return text, bad
	}
	l.blocks = true
	var texts []string
	bad := l.array(func(i int) *Problem {
		text, bad := l.block(fmt.Sprintf("%s[%d]", at, i))
		texts = append(texts, text)
		return bad
	})
	if bad == nil && texts == nil {
		bad = content("%q is empty: fill it in or remove the row", at)
	}
	return strings.Join(texts, "\n"), bad
}

// block reads {"text": "..."}.
func (l *line) block(at string) (text string, bad *Problem) {
	if l.peek() != '{' {
		return "", l.wrongType(at, `an object with "text"`)
	}
	found := false
	bad = l.object(func(key string) *Problem {
		if key != "text" || found {
			return content(`%s has %s: a block has exactly "text", and nothing else can be trained on`, at, short(key))
		}
		found = true
		var bad *Problem
		text, bad = l.text(at + ".text")
		return bad
	})
	switch {
	case bad != nil:
	case !found:
		bad = content(`key "text" of %s is missing`, at)
	default:
		bad = notBlank(at+".text", text)
	}
	return text, bad
}

func notBlank(at, text string) *Problem {
	switch {
	case text == "":
		return content("%q is empty: fill it in or remove the row", at)
	case strings.TrimSpace(text) == "":
		return content("%q is only white space: fill it in or remove the row", at)
	}
	return nil
}

// row checks what only the whole line shows.
func (l *line) row() (Row, *Problem) {
	if l.format == "" {
		l.format = Completions
	}
	if l.format == Chat {
		return l.conversation()
	}
	for _, key := range l.format.keys() {
		if !slices.Contains(l.seen, key) {
			return Row{}, content("key %q is missing: write %s", key, l.format.shape())
		}
		if bad := notBlank(key, l.texts[key]); bad != nil {
			return Row{}, bad
		}
	}
	if l.format == Documents {
		return Row{Format: Documents, Text: l.texts["input"]}, nil
	}
	return Row{Format: Completions, Messages: []Message{{user, l.texts["prompt"]}, {assistant, l.texts["completion"]}}}, nil
}

// conversation checks a row with messages: either all in Bedrock's form or all in OpenAI's.
func (l *line) conversation() (Row, *Problem) {
	r := Row{Format: Chat}
	if version, ok := l.texts["schemaVersion"]; ok {
		if version != schemaVersion {
			return r, content(`"schemaVersion" is %s: it must be %q`, short(version), schemaVersion)
		}
		r.Format = BedrockConversation
	}
	switch {
	case !slices.Contains(l.seen, "messages"):
		return r, content(`key "messages" is missing: write %s`, r.Format.shape())
	case r.Format == BedrockConversation && l.plain:
		return r, content("text stands where a list of blocks must: in this schema, content and system are written [{\"text\": \"...\"}]")
	case r.Format == Chat && l.blocks:
		return r, content("content or system is a list of blocks: add \"schemaVersion\": %q, or write them as text", schemaVersion)
	}
	r.Messages = append(l.system, l.messages...)
	return r, checkTurns(l.messages, r.Format, len(l.system) > 0)
}

// checkTurns wants system texts first, where the format has them among the messages, then user
// and assistant in turns, and the assistant last.
func checkTurns(messages []Message, f Format, hasSystem bool) *Problem {
	last := system
	for i, m := range messages {
		switch {
		case m.Role == system && f == BedrockConversation:
			return content(`messages[%d].role is "system": in this schema the system text is a key of its own, "system": [{"text": "..."}]`, i)
		case m.Role == system && hasSystem:
			return content(`messages[%d].role is "system", and there is a key "system" too: keep one`, i)
		case m.Role == system && last != system:
			return content(`messages[%d].role is "system": a system text must come first`, i)
		case m.Role != system && m.Role != user && m.Role != assistant:
			return content("messages[%d].role is %s: it must be one of %q", i, short(m.Role), []string{system, user, assistant})
		case m.Role == user && last == user, m.Role == assistant && last == assistant:
			return content("messages[%d].role is %q, as that before it: user and assistant must take turns", i, m.Role)
		case m.Role == assistant && last == system:
			return content(`messages[%d].role is "assistant": the user must speak first`, i)
		}
		last = m.Role
	}
	if last != assistant {
		return content(`"messages" must end with the assistant, whose answer is what is learnt`)
	}
	return nil
}

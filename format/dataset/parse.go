package dataset

import (
	"fmt"
	"slices"
	"strings"

	"outcrop.dev/outcrop/format/chat"
)

// MessagesMax is the most messages of a row: every answer is checked against the prompt that
// asks for it, which takes the square of their number.
const MessagesMax = 256

// developer is OpenAI's newer name of the system's role.
const developer = "developer"

// line is a row being read, key by key, in any order.
type line struct {
	*parser
	format   Format // of the keys so far; "" before the first
	seen     []string
	texts    map[string]string // by key: of the keys that are text
	system   []chat.Message
	messages []chat.Message
	blocks   bool   // some content is a list of Bedrock's blocks
	only     string // what the row has first that only Chat has; "" if nothing
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
		return l.array(func(i int) *Problem {
			text, bad := l.block(fmt.Sprintf("system[%d]", i))
			l.system = append(l.system, chat.Text(chat.System, text))
			return bad
		})
	case key == "system":
		l.chatOnly("text stands where a list of blocks must")
		var text string
		if text, bad = l.text(key); bad == nil {
			l.system = append(l.system, chat.Text(chat.System, text))
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
	var m chat.Message
	var seen []string
	bad := l.object(func(key string) (bad *Problem) {
		switch {
		case slices.Contains(seen, key):
			return content("key %s of %s occurs twice: keep one", short(key), at)
		case key == "role":
			m.Role, bad = l.text(at + ".role")
		case key == "content":
			m.Content, bad = l.readContent(at + ".content")
		case key == "weight":
			l.chatOnly("a message has a weight")
			m.Untrained, bad = l.weight(at + ".weight")
		default:
			return content(`key %s of %s is not known: a message has "role" and "content", and an answer may have a "weight"`, short(key), at)
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
	switch {
	case m.Role == developer && !slices.Contains(seen, "weight"):
		l.chatOnly("a role is \"developer\"")
		m.Role = chat.System
	case m.Role != chat.Assistant && slices.Contains(seen, "weight"):
		return content(`%s has a weight, and its role is %s: only what the assistant says is learnt`, at, short(m.Role))
	}
	l.messages = append(l.messages, m)
	return nil
}

// weight reads OpenAI's 0 for an answer that is only context, or 1.
func (l *line) weight(at string) (untrained bool, bad *Problem) {
	digit := l.peek()
	if digit != '0' && digit != '1' {
		return false, l.wrongType(at, "0 or 1")
	}
	l.i++
	if c := l.peek(); c == '.' || c == 'e' || c == 'E' || c >= '0' && c <= '9' {
		return false, content("%q is another number: it must be 0 or 1", at)
	}
	return digit == '0', nil
}

// chatOnly remembers the first thing in the row that Bedrock's conversations do not have.
func (l *line) chatOnly(what string) {
	if l.only == "" {
		l.only = what
	}
}

// readContent reads a message's content: text, or blocks of text, as in a request of Converse.
func (l *line) readContent(at string) (parts []chat.Part, bad *Problem) {
	if l.peek() != '[' {
		l.chatOnly("text stands where a list of blocks must")
		text, bad := l.text(at)
		if bad == nil {
			bad = notBlank(at, text)
		}
		return []chat.Part{{Text: text}}, bad
	}
	bad = l.array(func(i int) *Problem {
		text, bad := l.block(fmt.Sprintf("%s[%d]", at, i))
		parts = append(parts, chat.Part{Text: text})
		return bad
	})
	if bad == nil && parts == nil {
		bad = content("%q is empty: fill it in or remove the row", at)
	}
	return parts, bad
}

// block reads Bedrock's {"text": "..."} or OpenAI's {"type": "text", "text": "..."}.
func (l *line) block(at string) (text string, bad *Problem) {
	if l.peek() != '{' {
		return "", l.wrongType(at, `an object with "text"`)
	}
	members := map[string]string{}
	bad = l.object(func(key string) (bad *Problem) {
		if _, twice := members[key]; key != "text" && key != "type" || twice {
			return content(`%s has %s: a block has exactly "text", and nothing else can be trained on`, at, short(key))
		}
		members[key], bad = l.text(at + "." + key)
		return bad
	})
	if bad != nil {
		return "", bad
	}
	if kind, typed := members["type"]; !typed {
		l.blocks = true
	} else if l.chatOnly("a block has a type"); kind != "text" {
		return "", content(`%s is of type %s: only "text" can be trained on`, at, short(kind))
	}
	text, found := members["text"]
	if !found {
		return "", content(`key "text" of %s is missing`, at)
	}
	return text, notBlank(at+".text", text)
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
	return Row{Format: Completions, Messages: []chat.Message{chat.Text(chat.User, l.texts["prompt"]), chat.Text(chat.Assistant, l.texts["completion"])}}, nil
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
	case r.Format == BedrockConversation && l.only != "":
		return r, content("%s: in this schema, content and system are written [{\"text\": \"...\"}], and a message has nothing else", l.only)
	case r.Format == Chat && l.blocks:
		return r, content("content or system is a list of blocks: add \"schemaVersion\": %q, or write them as text", schemaVersion)
	}
	r.Messages = append(l.system, l.messages...)
	return r, checkTurns(l.messages, r.Format, len(l.system) > 0)
}

// checkTurns wants system texts first, where the format has them among the messages, then user
// and assistant in turns, and the assistant last.
func checkTurns(messages []chat.Message, f Format, hasSystem bool) *Problem {
	last := chat.System
	for i, m := range messages {
		switch {
		case m.Role == chat.System && f == BedrockConversation:
			return content(`messages[%d].role is "system": in this schema the system text is a key of its own, "system": [{"text": "..."}]`, i)
		case m.Role == chat.System && hasSystem:
			return content(`messages[%d].role is "system", and there is a key "system" too: keep one`, i)
		case m.Role == chat.System && last != chat.System:
			return content(`messages[%d].role is "system": a system text must come first`, i)
		case m.Role != chat.System && m.Role != chat.User && m.Role != chat.Assistant:
			return content("messages[%d].role is %s: it must be one of %q", i, short(m.Role), []string{chat.System, chat.User, chat.Assistant})
		case m.Role == chat.User && last == chat.User, m.Role == chat.Assistant && last == chat.Assistant:
			return content("messages[%d].role is %q, as that before it: user and assistant must take turns", i, m.Role)
		case m.Role == chat.Assistant && last == chat.System:
			return content(`messages[%d].role is "assistant": the user must speak first`, i)
		}
		last = m.Role
	}
	switch {
	case last != chat.Assistant:
		return content(`"messages" must end with the assistant, whose answer is what is learnt`)
	case !slices.ContainsFunc(messages, func(m chat.Message) bool { return m.Role == chat.Assistant && !m.Untrained }):
		return content("every answer has the weight 0: nothing is left to learn")
	}
	return nil
}

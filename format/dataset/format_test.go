package dataset

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"outcrop.dev/outcrop/format/chat"
)

const (
	bedrockRow = `{"schemaVersion":"bedrock-conversation-2024","system":[{"text":"S"}],"messages":[{"role":"user","content":[{"text":"U"}]},{"role":"assistant","content":[{"text":"A"}]}]}`
	chatRow    = `{"messages":[{"role":"user","content":"U"},{"role":"assistant","content":"A"}]}`
	inputRow   = `{"input":"some text"}`
)

func TestConversations(t *testing.T) {
	t.Parallel()
	type m = chat.Message
	twoTexts := m{Role: chat.User, Content: []chat.Part{{Text: "U"}, {Text: "V"}}}
	for _, c := range []struct {
		line   string
		format Format
		want   []chat.Message
	}{
		{bedrockRow, BedrockConversation, []m{chat.Text(chat.System, "S"), chat.Text(chat.User, "U"), chat.Text(chat.Assistant, "A")}},
		{`{"messages":[{"content":[{"text":"U"},{"text":"V"}],"role":"user"},{"role":"assistant","content":[{"text":" A\n"}]}],"schemaVersion":"bedrock-conversation-2024"}`,
			BedrockConversation, []m{twoTexts, chat.Text(chat.Assistant, " A\n")}},
		{`{"system":[{"text":"S"},{"text":"T"}],"schemaVersion":"bedrock-conversation-2024","messages":[{"role":"user","content":[{"text":"U"}]},{"role":"assistant","content":[{"text":"A"}]}]}`,
			BedrockConversation, []m{chat.Text(chat.System, "S"), chat.Text(chat.System, "T"), chat.Text(chat.User, "U"), chat.Text(chat.Assistant, "A")}},
		{chatRow, Chat, []m{chat.Text(chat.User, "U"), chat.Text(chat.Assistant, "A")}},
		{` { "messages" : [ { "role" : "system" , "content" : "S" } , {"role":"user","content":"U"}, {"role":"assistant","content":"A"},{"role":"user","content":"V"},{"role":"assistant","content":"B"} ] } `,
			Chat, []m{chat.Text(chat.System, "S"), chat.Text(chat.User, "U"), chat.Text(chat.Assistant, "A"), chat.Text(chat.User, "V"), chat.Text(chat.Assistant, "B")}},
		{`{"messages":[{"role":"user","content":"U"},{"role":"assistant","content":"A"}],"system":"S"}`, Chat, []m{chat.Text(chat.System, "S"), chat.Text(chat.User, "U"), chat.Text(chat.Assistant, "A")}},
		{`{"messages":[{"role":"developer","content":"S"},{"role":"user","content":[{"type":"text","text":"U"},{"text":"V","type":"text"}]},{"weight":0,"role":"assistant","content":"A"},` +
			`{"role":"user","content":"V"},{"role":"assistant","content":"B","weight": 1 }]}`,
			Chat, []m{chat.Text(chat.System, "S"), twoTexts, chat.Message{Role: chat.Assistant, Content: []chat.Part{{Text: "A"}}, Untrained: true}, chat.Text(chat.User, "V"), chat.Text(chat.Assistant, "B")}},
		{`{"system":[{"type":"text","text":"S"}],"messages":[{"role":"user","content":"U"},{"role":"assistant","content":"A"}]}`,
			Chat, []m{chat.Text(chat.System, "S"), chat.Text(chat.User, "U"), chat.Text(chat.Assistant, "A")}},
	} {
		rows, r := readAll(t, c.line+"\n", Limits{})
		if len(rows) != 1 || rows[0].Format != c.format || !reflect.DeepEqual(rows[0].Messages, c.want) || r.Format != c.format {
			t.Errorf("%s: %+v, %+v", c.line, rows, r)
		}
	}
	rows, r := readAll(t, inputRow, Limits{CharactersMax: 3})
	if len(rows) != 1 || rows[0].Text != "some text" || rows[0].Messages != nil || r.Format != Documents {
		t.Errorf("%+v, %+v", rows, r)
	}
}

func TestConversationsThatAreRefused(t *testing.T) {
	t.Parallel()
	bedrock := func(messages string) string {
		return `{"schemaVersion":"bedrock-conversation-2024","messages":[` + messages + `]}`
	}
	chat := func(messages string) string { return `{"messages":[` + messages + `]}` }
	const (
		u  = `{"role":"user","content":"U"}`
		a  = `{"role":"assistant","content":"A"}`
		s  = `{"role":"system","content":"S"}`
		bu = `{"role":"user","content":[{"text":"U"}]}`
		ba = `{"role":"assistant","content":[{"text":"A"}]}`
	)
	for _, c := range []struct {
		line string
		kind Kind
		want string
	}{
		{chat(""), Content, `"messages" must end with the assistant`},
		{chat(u), Content, `must end with the assistant`},
		{chat(s), Content, `must end with the assistant`},
		{chat(a), Content, `messages[0].role is "assistant": the user must speak first`},
		{chat(s + "," + a), Content, `messages[1].role is "assistant": the user must speak first`},
		{chat(u + "," + u + "," + a), Content, `messages[1].role is "user", as that before it`},
		{chat(u + "," + a + "," + a), Content, `messages[2].role is "assistant", as that before it`},
		{chat(u + "," + s + "," + a), Content, `messages[1].role is "system": a system text must come first`},
		{chat(`{"role":"tool","content":"x"}`), Content, `messages[0].role is "tool": it must be one of ["system" "user" "assistant"]`},
		{`{"system":"S","messages":[` + s + "," + u + "," + a + `]}`, Content, `a key "system" too`},
		{chat(`{"role":"user"}`), Content, `key "content" of messages[0] is missing`},
		{chat(`{"content":"x"}`), Content, `key "role" of messages[0] is missing`},
		{chat(`{"role":"user","content":"x","name":"y"}`), Content, `key "name" of messages[0] is not known`},
		{chat(`{"role":"user","role":"user","content":"x"}`), Content, `key "role" of messages[0] occurs twice`},
		{chat(`{"role":"user","content":""}`), Content, `"messages[0].content" is empty`},
		{chat(u + `,{"role":"assistant","content":" \n"}`), Content, `"messages[1].content" is only white space`},
		{chat(`{"role":"user","content":null}`), Content, `"messages[0].content" is null`},
		{chat(`{"role":7,"content":"x"}`), Content, `"messages[0].role" is a number`},
		{chat(`"hello"`), Content, `"messages[0]" is text: it must be an object`},
		{`{"messages":{}}`, Content, `"messages" is an object: it must be an array`},
		{`{"messages":"x"}`, Content, `"messages" is text`},
		{`{"system":"S"}`, Content, `key "messages" is missing`},
		{`{"system":7,"messages":[]}`, Content, `"system" is a number`},
		{`{"system":"","messages":[]}`, Content, `"system" is empty`},
		{`{"messages":[` + u + "," + a + `],"tools":[]}`, Content, `key "tools" is not known: a row has the keys ["system" "messages"]`},
		{chat(bu + "," + ba), Content, `add "schemaVersion": "bedrock-conversation-2024"`},
		{bedrock(u + "," + a), Content, "text stands where a list of blocks must"},
		{bedrock(bu), Content, "must end with the assistant"},
		{bedrock(`{"role":"system","content":[{"text":"S"}]},` + bu + "," + ba), Content, "the system text is a key of its own"},
		{bedrock(`{"role":"user","content":[]},` + ba), Content, `"messages[0].content" is empty`},
		{bedrock(`{"role":"user","content":[{}]}`), Content, `key "text" of messages[0].content[0] is missing`},
		{bedrock(`{"role":"user","content":[{"image":{"format":"png"}}]}`), Content, `messages[0].content[0] has "image"`},
		{bedrock(`{"role":"user","content":[{"text":"x","text":"y"}]}`), Content, `has "text"`},
		{bedrock(`{"role":"user","content":[{"text":" "}]}`), Content, `"messages[0].content[0].text" is only white space`},
		{bedrock(`{"role":"user","content":["x"]}`), Content, `"messages[0].content[0]" is text`},
		{`{"schemaVersion":"bedrock-conversation-2023","messages":[` + bu + "," + ba + `]}`, Content, `"schemaVersion" is "bedrock-conversation-2023": it must be`},
		{`{"schemaVersion":"bedrock-conversation-2024"}`, Content, `key "messages" is missing`},
		{`{"schemaVersion":"bedrock-conversation-2024","system":[{"text":""}],"messages":[]}`, Content, `"system[0].text" is empty`},
		{`{"schemaVersion":"bedrock-conversation-2024","system":"S","messages":[` + bu + "," + ba + `]}`, Content, "text stands where a list"},
		{chat(u + `,{"role":"assistant","content":"A","weight":0}`), Content, "every answer has the weight 0"},
		{chat(u + `,{"role":"assistant","content":"A","weight":0.5}`), Content, `"messages[1].weight" is another number: it must be 0 or 1`},
		{chat(u + `,{"role":"assistant","content":"A","weight":10}`), Content, `it must be 0 or 1`},
		{chat(u + `,{"role":"assistant","content":"A","weight":-1}`), Content, `"messages[1].weight" is a number: it must be 0 or 1`},
		{chat(u + `,{"role":"assistant","content":"A","weight":true}`), Content, `"messages[1].weight" is a boolean`},
		{chat(`{"role":"developer","content":"S","weight":0},` + u + "," + a), Content, `messages[0] has a weight, and its role is "developer"`},
		{chat(`{"role":"user","content":"U","weight":1},` + a), Content, `messages[0] has a weight, and its role is "user"`},
		{chat(u + `,{"role":"developer","content":"S"},` + a), Content, "a system text must come first"},
		{chat(`{"role":"user","content":[{"type":"image_url","image_url":{"url":"x"}}]},` + a), Content, `messages[0].content[0] has "image_url"`},
		{chat(`{"role":"user","content":[{"type":"refusal","text":"x"}]},` + a), Content, `messages[0].content[0] is of type "refusal": only "text" can be trained on`},
		{chat(`{"role":"user","content":[{"type":"text"}]},` + a), Content, `key "text" of messages[0].content[0] is missing`},
		{chat(`{"role":"user","content":[{"type":"text","text":"U"}]},` + ba), Content, `add "schemaVersion"`},
		{bedrock(bu + `,{"role":"assistant","content":[{"text":"A"}],"weight":1}`), Content, "a message has a weight: in this schema"},
		{bedrock(`{"role":"user","content":[{"type":"text","text":"U"}]},` + ba), Content, "a block has a type: in this schema"},
		{bedrock(`{"role":"developer","content":[{"text":"S"}]},` + bu + "," + ba), Content, `a role is "developer": in this schema`},
		{`{"messages":[` + u + "," + a, NotJSONL, "the line ends where a comma or ]"},
		{`{"messages":[` + u + "," + a + `,]}`, NotJSONL, "where an object"},
		{`{"messages":` + deepArray, Content, `"messages[0]" is an array`},
		{`{"input":""}`, Content, `"input" is empty`},
		{`{"input":7}`, Content, `"input" is a number`},
		{`{"input":"x","text":"y"}`, Content, `key "text" is not known: a row has the keys ["input"]`},
		{chat(strings.Repeat(u+","+a+",", MessagesMax/2) + u + "," + a), TooLong, "more than 256 messages"},
	} {
		rows, r := readAll(t, c.line, Limits{})
		if len(rows) != 0 || r.ProblemCount != 1 {
			t.Errorf("%.90s: %d rows, problems %v", c.line, len(rows), r.Problems)
			continue
		}
		if p := r.Problems[0]; p.Kind != c.kind || !strings.Contains(p.Reason, c.want) || strings.Contains(p.Reason, "%!") {
			t.Errorf("%.90s: %s %q, want %s %q", c.line, p.Kind, p, c.kind, c.want)
		}
	}
	if rows, r := readAll(t, chat(strings.TrimSuffix(strings.Repeat(u+","+a+",", MessagesMax/2), ",")), Limits{}); len(rows) != 1 {
		t.Errorf("at the limit: %v", r.Problems)
	}
}

// TestAFileHasOneFormat names the first line that differs, and every other.
func TestAFileHasOneFormat(t *testing.T) {
	t.Parallel()
	prompt := strings.TrimSuffix(row(9), "\n")
	rows, r := readAll(t, strings.Join([]string{"junk", chatRow, chatRow, prompt, chatRow, inputRow, bedrockRow}, "\n"), Limits{})
	if len(rows) != 3 || r.ProblemCount != 4 || r.Format != Chat {
		t.Fatalf("%d rows, %+v", len(rows), r)
	}
	for i, want := range []string{"line 1: ", `line 4: this is a row of the format "prompt and completion", and line 2 one of "chat messages"`,
		`line 6: this is a row of the format "continued pre-training"`, `line 7: this is a row of the format "bedrock-conversation-2024"`} {
		if got := r.Problems[i].String(); !strings.HasPrefix(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestFormatsThatAJobDoesNotTake ends with the first row: all the others are as wrong.
func TestFormatsThatAJobDoesNotTake(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		line    string
		formats []Format
		want    string
	}{
		{inputRow, []Format{Completions, BedrockConversation, Chat}, "CONTINUED_PRE_TRAINING"},
		{chatRow, []Format{Documents}, "FINE_TUNING"},
		{strings.TrimSuffix(row(9), "\n"), []Format{Documents}, "FINE_TUNING"},
	} {
		rows, r := readAll(t, c.line+"\n"+c.line+"\n", Limits{Formats: c.formats})
		if len(rows) != 0 || r.ProblemCount != 1 || !strings.Contains(r.Problems[0].String(), c.want) {
			t.Errorf("%s: %d rows, %v", c.line, len(rows), r.Problems)
		}
		if rows, _ := readAll(t, c.line, Limits{Formats: []Format{Completions, BedrockConversation, Chat, Documents}}); len(rows) != 1 {
			t.Errorf("%s is not taken", c.line)
		}
	}
}

func TestCharactersOfAllTextsCount(t *testing.T) {
	t.Parallel()
	for limit, want := range map[int]int{3: 1, 2: 0} { // S, U and A
		if rows, r := readAll(t, bedrockRow, Limits{CharactersMax: limit}); len(rows) != want {
			t.Errorf("limit %d: %v", limit, r.Problems)
		}
	}
}

// anyRow is any row to encoding/json.
type anyRow struct {
	Prompt, Completion, Input, SchemaVersion *string
	System                                   json.RawMessage
	Messages                                 []struct {
		Role    string
		Content json.RawMessage
		Weight  *int
	}
}

// texts are those of a content or system: text itself, or that of its blocks.
func texts(raw json.RawMessage) []string {
	var one string
	if json.Unmarshal(raw, &one) == nil {
		return []string{one}
	}
	var blocks []struct{ Text string }
	_ = json.Unmarshal(raw, &blocks)
	var all []string
	for _, b := range blocks {
		all = append(all, b.Text)
	}
	return all
}

// read is what encoding/json makes of an accepted line.
func (a anyRow) read() (messages []chat.Message, text string) {
	switch {
	case a.Input != nil:
		return nil, *a.Input
	case a.Prompt != nil:
		return []chat.Message{chat.Text(chat.User, *a.Prompt), chat.Text(chat.Assistant, *a.Completion)}, ""
	}
	if a.System != nil {
		for _, t := range texts(a.System) {
			messages = append(messages, chat.Text(chat.System, t))
		}
	}
	for _, m := range a.Messages {
		if m.Role == developer {
			m.Role = chat.System
		}
		one := chat.Message{Role: m.Role, Untrained: m.Weight != nil && *m.Weight == 0}
		for _, t := range texts(m.Content) {
			one.Content = append(one.Content, chat.Part{Text: t})
		}
		messages = append(messages, one)
	}
	return messages, ""
}

// FuzzRead: nothing panics; what is accepted is what encoding/json reads, and what is JSON to
// encoding/json is not refused as something else.
func FuzzRead(f *testing.F) {
	for _, s := range []string{
		`{"prompt":"p","completion":"c"}`, `{"prompt":"\ud83d\ude00\n","completion":"\\"}`, "{}\n\n", "\ufeff", "[[[[",
		`{"prompt":"p","completion":"c","x":{"y":[1,2]}}`, "{\"prompt\":\"\xff\"}", `{"Prompt":"p"}`, "\r\n", `{"prompt":"\ud800"}`,
		bedrockRow, chatRow, inputRow, chatRow + "\n" + inputRow, `{"system":"S","messages":[{"role":"user","content":"U"},{"role":"assistant","content":"A"}]}`,
		`{"messages":[{"role":"user","content":[{"text":"x"},{"image":1}]}]}`, `{"messages":[[]]}`, `{"input":"x","input":"y"}`,
		`{"messages":[{"role":"developer","content":[{"type":"text","text":"x"}]},{"role":"user","content":"U"},{"role":"assistant","content":"A","weight":1}]}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		lines := bytes.Split(b, []byte("\n"))
		var format Format
		r, err := Read(bytes.NewReader(b), Limits{}, func(row Row) error {
			var a anyRow
			if err := json.Unmarshal(lines[row.Line-1], &a); err != nil {
				t.Errorf("accepted %q: %v", lines[row.Line-1], err)
				return nil
			}
			messages, text := a.read()
			if !reflect.DeepEqual(messages, row.Messages) || text != row.Text {
				t.Errorf("%q read as %+v", lines[row.Line-1], row)
			}
			if !utf8.ValidString(fmt.Sprint(row)) || (row.Format == Documents) != (row.Messages == nil) {
				t.Errorf("%+v", row)
			}
			if format == "" {
				format = row.Format
			}
			if row.Format != format {
				t.Errorf("%q after %q", row.Format, format)
			}
			return nil
		})
		if err != nil || r.Rows+r.ProblemCount < r.Lines || r.Format != format {
			t.Errorf("%+v, %v", r, err)
		}
		for _, p := range r.Problems {
			if p.Kind == NotJSONL && json.Valid(lines[max(p.Line-1, 0)]) && utf8.Valid(lines[p.Line-1]) {
				if first := bytes.TrimSpace(lines[p.Line-1])[0]; first == '{' && !bytes.Contains(lines[p.Line-1], []byte(`\u`)) {
					t.Errorf("%q is JSON: %s", lines[p.Line-1], p)
				}
			}
		}
	})
}

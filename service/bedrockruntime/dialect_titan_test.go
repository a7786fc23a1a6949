package bedrockruntime

import (
	"encoding/json"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"outcrop.dev/outcrop"
)

func TestTitanParse(t *testing.T) {
	t.Parallel()
	seed := uint64(1<<63 - 1)
	for _, c := range []struct {
		name, body string
		want       outcrop.GenerateRequest
	}{
		{"defaults", `{"inputText":"hi"}`, outcrop.GenerateRequest{MaxTokens: 512, Temperature: 0.7, TopP: 0.9}},
		{"the guide's", `{"inputText":"hi","textGenerationConfig":{"maxTokenCount":256,"temperature":0.2,"topP":0.9}}`,
			outcrop.GenerateRequest{MaxTokens: 256, Temperature: 0.2, TopP: 0.9}},
		{"lower ends", `{"inputText":"hi","textGenerationConfig":{"maxTokenCount":0,"temperature":0,"topP":1e-9,"stopSequences":[],"seed":0}}`,
			outcrop.GenerateRequest{Temperature: 0, TopP: 1e-9, Stop: []string{}, Seed: new(uint64)}},
		{"upper ends", `{"inputText":"hi","textGenerationConfig":{"maxTokenCount":8192,"temperature":1,"topP":1.0,"stopSequences":["User:"],"seed":9223372036854775807}}`,
			outcrop.GenerateRequest{MaxTokens: 8192, Temperature: 1, TopP: 1, Stop: []string{"User:"}, Seed: &seed}},
		{"white space", " \n{ \"inputText\" : \"hi\" }\t", outcrop.GenerateRequest{MaxTokens: 512, Temperature: 0.7, TopP: 0.9}},
		{"empty configuration", `{"inputText":"hi","textGenerationConfig":{}}`, outcrop.GenerateRequest{MaxTokens: 512, Temperature: 0.7, TopP: 0.9}},
	} {
		c.want.Messages = []outcrop.Message{outcrop.Text(outcrop.RoleUser, "hi")}
		got, err := titan{}.parse([]byte(c.body))
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %+v, %v; want %+v", c.name, got, err, c.want)
		}
	}
}

// TestDialects: a file's dialect is known by its name, and no name is taken twice.
func TestDialects(t *testing.T) {
	t.Parallel()
	if all := Dialects(); !slices.Contains(all, "titan") || !slices.IsSorted(all) {
		t.Errorf("the dialects are %q", all)
	}
	defer func() {
		if recover() == nil {
			t.Error("a second titan was registered")
		}
	}()
	register("titan", titan{})
}

func TestTitanTakesConversationsAsTheyAre(t *testing.T) {
	t.Parallel()
	const text = "User: What is schist?\nBot: A rock.\nUser: Foliated?\nBot:"
	body, err := json.Marshal(map[string]string{"inputText": text})
	if err != nil {
		t.Fatal(err)
	}
	got, err := titan{}.parse(body)
	if err != nil || got.Messages[0].Text() != text {
		t.Errorf("got %+v, %v", got.Messages, err)
	}
}

func TestTitanRefuses(t *testing.T) {
	t.Parallel()
	config := func(s string) string { return `{"inputText":"hi","textGenerationConfig":` + s + `}` }
	stops := func(n int) string { return config(`{"stopSequences":["a"` + strings.Repeat(`,"a"`, n-1) + `]}`) }
	for _, c := range []struct{ name, body, want string }{
		{"nothing", ``, `#: the body ends before its JSON does`},
		{"half", `{"inputText":"hi"`, `#: the body ends before its JSON does`},
		{"no JSON", `inputText=hi`, `#: the body is not JSON: invalid character 'i' looking for beginning of value`},
		{"no object", `["hi"]`, `#: expected type: JSONObject, found: JSONArray`},
		{"null", `null`, `#: expected type: JSONObject, found: Null`},
		{"text after it", `{"inputText":"hi"} {}`, `#: there is text after the end of the JSON object`},
		{"garbage after it", `{"inputText":"hi"}]`, `#: there is text after the end of the JSON object`},
		{"not UTF-8", "{\"inputText\":\"\xff\"}", `#: the text is not UTF-8`},
		{"no inputText", `{}`, `#: required key [inputText] not found`},
		{"wrong case", `{"InputText":"hi"}`, `#: 2 schema violations found: #: extraneous key [InputText] is not permitted; #: required key [inputText] not found`},
		{"unknown member", `{"inputText":"hi","prompt":"hi"}`, `#: extraneous key [prompt] is not permitted`},
		{"duplicate", `{"inputText":"hi","inputText":"ho"}`, `#: duplicate key [inputText]`},
		{"empty inputText", `{"inputText":""}`, `#/inputText: expected minLength: 1, actual: 0`},
		{"number for text", `{"inputText":7}`, `#/inputText: expected type: String, found: Number`},
		{"null for text", `{"inputText":null}`, `#/inputText: expected type: String, found: Null`},
		{"null configuration", config(`null`), `#/textGenerationConfig: expected type: JSONObject, found: Null`},
		{"unknown in configuration", config(`{"maxTokens":5}`), `#/textGenerationConfig: extraneous key [maxTokens] is not permitted`},
		{"temperature above", config(`{"temperature":1.01}`), `#/textGenerationConfig/temperature: 1.01 is not less or equal to 1`},
		{"temperature below", config(`{"temperature":-0.1}`), `#/textGenerationConfig/temperature: -0.1 is not greater or equal to 0`},
		{"temperature beyond float64", config(`{"temperature":1e999}`), `#/textGenerationConfig/temperature: 1e999 is not less or equal to 1`},
		{"temperature is text", config(`{"temperature":"0.5"}`), `#/textGenerationConfig/temperature: expected type: Number, found: String`},
		{"temperature is null", config(`{"temperature":null}`), `#/textGenerationConfig/temperature: expected type: Number, found: Null`},
		{"topP zero", config(`{"topP":0}`), `#/textGenerationConfig/topP: 0 is not greater than 0`},
		{"topP above", config(`{"topP":1.5}`), `#/textGenerationConfig/topP: 1.5 is not less or equal to 1`},
		{"tokens above", config(`{"maxTokenCount":8193}`), `#/textGenerationConfig/maxTokenCount: 8193 is not less or equal to 8192`},
		{"tokens below", config(`{"maxTokenCount":-1}`), `#/textGenerationConfig/maxTokenCount: -1 is not greater or equal to 0`},
		{"tokens no integer", config(`{"maxTokenCount":5.5}`), `#/textGenerationConfig/maxTokenCount: expected type: Integer, found: Number`},
		{"tokens overflow", config(`{"maxTokenCount":99999999999999999999}`), `#/textGenerationConfig/maxTokenCount: 99999999999999999999 is not less or equal to 8192`},
		{"tokens bool", config(`{"maxTokenCount":true}`), `#/textGenerationConfig/maxTokenCount: expected type: Integer, found: Boolean`},
		{"stop is text", config(`{"stopSequences":"x"}`), `#/textGenerationConfig/stopSequences: expected type: JSONArray, found: String`},
		{"stop is empty", config(`{"stopSequences":["a",""]}`), `#/textGenerationConfig/stopSequences/1: expected minLength: 1, actual: 0`},
		{"stop is a number", config(`{"stopSequences":[1]}`), `#/textGenerationConfig/stopSequences/0: expected type: String, found: Number`},
		{"too many stops", stops(2501), `#/textGenerationConfig/stopSequences: expected maximum item count: 2500, found: more`},
		{"stop too long", config(`{"stopSequences":["` + strings.Repeat("x", 1001) + `"]}`), `#/textGenerationConfig/stopSequences/0: expected maxLength: 1000, actual: 1001`},
		{"seed below", config(`{"seed":-1}`), `#/textGenerationConfig/seed: -1 is not greater or equal to 0`},
		{"seed overflow", config(`{"seed":9223372036854775808}`), `#/textGenerationConfig/seed: 9223372036854775808 is not less or equal to 9223372036854775807`},
		{"several", config(`{"temperature":2,"topP":2}`), `#: 2 schema violations found: #/textGenerationConfig/temperature: 2 is not less or equal to 1; #/textGenerationConfig/topP: 2 is not less or equal to 1`},
	} {
		_, err := titan{}.parse([]byte(c.body))
		want := "Malformed input request: " + c.want + ", please reformat your input and try again."
		if outcrop.CodeOf(err) != outcrop.CodeValidation || err.(*outcrop.Error).Msg != want {
			t.Errorf("%s:\n got %v\nwant %s", c.name, err, want)
		}
	}
	for name, body := range map[string]string{
		"2500 stops":         stops(2500),
		"a stop of 1000":     config(`{"stopSequences":["` + strings.Repeat("x", 1000) + `"]}`),
		"a negative zero":    config(`{"temperature":-0.0}`),
		"escaped surrogates": `{"inputText":"\ud83c\udf32 \ud800"}`,
	} {
		if _, err := (titan{}).parse([]byte(body)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTitanFindingsAreBounded(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString(`{"inputText":"hi"`)
	for i := range membersMax - 1 {
		b.WriteString(`,"` + strings.Repeat("é", 1000) + strconv.Itoa(i) + `":1`)
	}
	_, err := titan{}.parse([]byte(b.String() + `}`))
	if err == nil || len(err.Error()) > 3000 || !strings.Contains(err.Error(), "999 schema violations found, the first 10") {
		t.Errorf("got %v", err)
	}
	_, err = titan{}.parse([]byte(b.String() + `,"one":1}`))
	if err == nil || !strings.Contains(err.Error(), "#: expected maximum size: 1000 properties, found: more") {
		t.Errorf("got %v", err)
	}
}

func TestTitanAnswer(t *testing.T) {
	t.Parallel()
	res := outcrop.GenerateResult{Text: "a <b>", StopReason: outcrop.StopSequence, InputTokens: 5, OutputTokens: 3}
	m := invocationMetrics{5, 3, 40, 12}
	for _, c := range []struct {
		name string
		v    any
		want string
	}{
		{"answer", titan{}.answer(res), `{"inputTextTokenCount":5,"results":[{"tokenCount":3,"outputText":"a \u003cb\u003e","completionReason":"STOP_CRITERIA_MET"}]}`},
		{"piece", titan{}.piece("a"), `{"outputText":"a","index":0,"totalOutputTextTokenCount":null,"completionReason":null,"inputTextTokenCount":null}`},
		{"last", titan{}.last(res, m), `{"outputText":"","index":0,"totalOutputTextTokenCount":3,"completionReason":"STOP_CRITERIA_MET","inputTextTokenCount":5,` +
			`"amazon-bedrock-invocationMetrics":{"inputTokenCount":5,"outputTokenCount":3,"invocationLatency":40,"firstByteLatency":12}}`},
	} {
		got, err := json.Marshal(c.v)
		if err != nil || string(got) != c.want {
			t.Errorf("%s: got %s, %v; want %s", c.name, got, err, c.want)
		}
	}
	for reason, want := range map[string]string{outcrop.StopEndOfText: "FINISH", outcrop.StopLength: "LENGTH"} {
		if got := titanReasons[reason]; got != want {
			t.Errorf("%s: %s, want %s", reason, got, want)
		}
	}
}

// FuzzTitan: any body is either refused as CodeValidation or within the ranges.
func FuzzTitan(f *testing.F) {
	for _, s := range []string{
		`{"inputText":"hi"}`,
		`{"inputText":"hi","textGenerationConfig":{"maxTokenCount":256,"temperature":0.2,"topP":0.9,"stopSequences":["a"],"seed":7}}`,
		`{"inputText":7,"textGenerationConfig":{"maxTokenCount":1e9,"temperature":[],"topP":null,"stopSequences":{}}}`,
		``, `{`, `[[[[`, "\xff", `{"a":{"a":{"a":{}}}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		req, err := titan{}.parse(raw)
		if err != nil {
			if outcrop.CodeOf(err) != outcrop.CodeValidation {
				t.Fatalf("%q: %v", raw, err)
			}
			return
		}
		if req.Messages[0].Text() == "" || req.MaxTokens < 0 || req.MaxTokens > titanTokensMax ||
			!(req.Temperature >= 0 && req.Temperature <= 1) || !(req.TopP > 0 && req.TopP <= 1) {
			t.Fatalf("%q: %+v", raw, req)
		}
	})
}

// TestTitanNamesAnotherFamilysBody: an alias of another vendor's id reads Titan's bodies too.
func TestTitanNamesAnotherFamilysBody(t *testing.T) {
	t.Parallel()
	const hint = "please reformat your input and try again. The body is that of another family of models"
	for body, hinted := range map[string]bool{
		`{"anthropic_version":"bedrock-2023-05-31","max_tokens":9,"messages":[]}`: true,
		`{"prompt":"hi","max_gen_len":9}`:                                         true,
		`{}`:                                                                      false,
		`{"inputText":"hi","prompt":"hi"}`:                                        false,
	} {
		_, err := titan{}.parse([]byte(body))
		if err == nil || strings.Contains(err.Error(), hint) != hinted {
			t.Errorf("%s: %v, with a hint: want %v", body, err, hinted)
		}
	}
}

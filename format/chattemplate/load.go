package chattemplate

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"

	"outcrop.dev/outcrop/format/chattemplate/jinja"
	"outcrop.dev/outcrop/format/tokenizer"

	"outcrop.dev/outcrop/internal/durable"
)

// The files of a model directory that decide the form.
const (
	ConfigFile   = "tokenizer_config.json"   // chat_template and the special tokens
	TemplateFile = "chat_template.jinja"     // goes before the one in ConfigFile
	SpecialsFile = "special_tokens_map.json" // special tokens that ConfigFile does not name
	modelFile    = "config.json"             // eos_token_id, where no file names the token
)

// Files are the files that a directory's form depends on: what is made from the model must
// carry them on.
var Files = []string{ConfigFile, TemplateFile, SpecialsFile}

// fileBytesMax is the longest of these files. Those of models with many added tokens have
// some 2 MB.
const fileBytesMax = 16 << 20

// Load returns the template of a model directory, over its tokenizer. The error names the
// file and what in it cannot be used.
func Load(dir string, tok *tokenizer.Tokenizer) (*Template, error) {
	c, err := readConfig(dir)
	if err != nil {
		return nil, err
	}
	own, ownErr := New(tok)
	switch {
	case c.template == Jinja && ownErr == nil, c.template == "" && ownErr == nil:
		return own, nil
	case c.template == "":
		return c.plain(dir, tok)
	}
	t, err := newJinja(c.template, c.specials, c.documentFrame(tok), tok)
	if err != nil {
		return nil, fmt.Errorf("%s: the chat template cannot be used: %w", filepath.Join(dir, c.from), err)
	}
	return t, nil
}

// config is what a directory says.
type config struct {
	template string
	from     string         // the file it stands in
	specials map[string]any // bos_token and so on, as a template sees them
	eosID    *int32         // of modelFile
}

func readConfig(dir string) (*config, error) {
	c := &config{specials: map[string]any{}}
	for _, name := range []string{SpecialsFile, ConfigFile} {
		if err := readJSON(dir, name, func(members map[string]json.RawMessage) error { return c.read(name, members) }); err != nil {
			return nil, err
		}
	}
	b, err := readFile(filepath.Join(dir, TemplateFile))
	if err != nil {
		return nil, err
	}
	if b != nil {
		c.template, c.from = string(b), TemplateFile
	}
	return c, readJSON(dir, modelFile, c.readModel)
}

// readJSON reads an object from a file, if the file exists.
func readJSON(dir, name string, use func(map[string]json.RawMessage) error) error {
	path := filepath.Join(dir, name)
	b, err := readFile(path)
	if b == nil || err != nil {
		return err
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(b, &members); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := use(members); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// readFile returns a file's content, nil if there is none.
func readFile(path string) ([]byte, error) {
	f, err := durable.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, fileBytesMax+1))
	if err == nil && len(b) > fileBytesMax {
		err = fmt.Errorf("%s: longer than %d bytes", path, fileBytesMax)
	}
	return b, err
}

func (c *config) read(name string, members map[string]json.RawMessage) error {
	for key, value := range members {
		if strings.HasSuffix(key, "_token") {
			if content, ok := tokenContent(value); ok {
				c.specials[key] = jinja.Plain(content)
			}
		}
	}
	template, ok := members["chat_template"]
	if !ok || name != ConfigFile {
		return nil
	}
	var err error
	if c.template, err = chooseTemplate(template); err != nil {
		return fmt.Errorf("chat_template: %w", err)
	}
	c.from = name
	return nil
}

// tokenContent reads a token, which is a text or an AddedToken object; ok is false for
// neither, such as null.
func tokenContent(value json.RawMessage) (content string, ok bool) {
	var text *string
	if json.Unmarshal(value, &text) == nil && text != nil {
		return *text, true
	}
	var added struct{ Content *string }
	if json.Unmarshal(value, &added) == nil && added.Content != nil {
		return *added.Content, true
	}
	return "", false
}

// chooseTemplate reads a template, or of several with names the one called default.
func chooseTemplate(value json.RawMessage) (string, error) {
	var one *string
	if json.Unmarshal(value, &one) == nil {
		if one == nil {
			return "", nil
		}
		return *one, nil
	}
	var several []struct{ Name, Template string }
	if err := json.Unmarshal(value, &several); err != nil {
		return "", fmt.Errorf("it is neither a text nor a list of templates with names")
	}
	var names []string
	for _, t := range several {
		if t.Name == "default" || len(several) == 1 {
			return t.Template, nil
		}
		names = append(names, t.Name)
	}
	return "", fmt.Errorf("none of the templates (%s) is called default", strings.Join(names, ", "))
}

// readModel reads the end of text of a model whose tokenizer's files name none, as GPT-2's.
func (c *config) readModel(members map[string]json.RawMessage) error {
	var one int32
	var several []int32
	value := members["eos_token_id"]
	switch {
	case json.Unmarshal(value, &one) == nil:
		c.eosID = &one
	case json.Unmarshal(value, &several) == nil && len(several) > 0:
		c.eosID = &several[0]
	}
	return nil
}

// documentFrame returns what stands round a text that stands alone; end is -1 if no file says
// what ends it.
func (c *config) documentFrame(tok *tokenizer.Tokenizer) documentFrame {
	d := documentFrame{end: -1}
	const text = -1 // stands for the text's tokens
	for _, id := range tok.PostProcess([]int32{text}) {
		if id == text {
			break
		}
		d.before = append(d.before, id)
	}
	eos, _ := c.specials["eos_token"].(jinja.Text)
	if id, ok := tok.Special(eos.String()); ok {
		d.end = id
	} else if c.eosID != nil && *c.eosID >= 0 && int(*c.eosID) < tok.VocabSize() {
		d.end = *c.eosID
	}
	return d
}

func (c *config) plain(dir string, tok *tokenizer.Tokenizer) (*Template, error) {
	d := c.documentFrame(tok)
	if d.end < 0 {
		return nil, fmt.Errorf("%s: no file says which token ends a text: name it as eos_token in %s", dir, ConfigFile)
	}
	return newPlain(tok, d), nil
}

package chattemplate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"outcrop.dev/outcrop/format/chat"
	"outcrop.dev/outcrop/format/chattemplate/jinja"
	"outcrop.dev/outcrop/format/tokenizer"
)

// The work that a template may do (jinja.Budget): what a long published one does for a
// message, some thousand operations, and reading the texts a few times. A rendering that uses
// all of it takes a fraction of a second.
const (
	budgetBase       = 1 << 20
	budgetPerMessage = 8 << 10
	budgetPerByte    = 8
)

// jinjaForm writes conversations with a model's own chat_template.
type jinjaForm struct {
	tok      *tokenizer.Tokenizer
	template *jinja.Template
	vars     map[string]any
	opening  string // what the template writes between the last user text and the answer
	turnEnd  int32  // the special token after an answer; -1 if the template writes none
	end      int32  // of a text: ends the last answer where there is no turnEnd
}

// newJinja parses a template and tries it on a small conversation.
func newJinja(source string, specials map[string]any, d documentFrame, tok *tokenizer.Tokenizer) (*Template, error) {
	parsed, err := jinja.Parse(source)
	if err != nil {
		return nil, err
	}
	f := &jinjaForm{tok: tok, template: parsed, vars: variables(specials), turnEnd: -1, end: d.end}
	conversation := []chat.Message{chat.Text(chat.User, "question"), chat.Text(chat.Assistant, "answer")}
	prompt, err := f.render(conversation[:1], true)
	if err != nil {
		return nil, err
	}
	if prompt.contents[0].missing() {
		return nil, fmt.Errorf("it leaves out what the user says")
	}
	f.opening = prompt.text[prompt.contents[0].to:]
	same, err := f.findEnd(conversation)
	if err != nil {
		return nil, err
	}
	t := &Template{tok: tok, form: f, end: f.turnEnd, document: d}
	if t.end < 0 {
		t.end = d.end
	}
	if t.end < 0 {
		return nil, fmt.Errorf("it ends an answer with no special token, and no file names an eos_token")
	}
	if d.end < 0 {
		t.document.end = t.end
	}
	if _, err := f.example(conversation); err != nil {
		return nil, err
	}
	if !same {
		t.warnings = append(t.warnings, "the model's chat template asks for an answer otherwise than it writes a conversation that has one: "+
			"answers are trained in the form that they are asked for")
	}
	return t, nil
}

// findEnd finds the special token that ends an answer, and tells whether the conversation
// begins as it is asked for.
func (f *jinjaForm) findEnd(conversation []chat.Message) (same bool, err error) {
	r, err := f.render(conversation, false)
	if err != nil {
		return false, err
	}
	answers := f.answers(conversation, r)
	t, err := f.encode(f.tok, r, cuts(answers))
	if err != nil {
		return false, err
	}
	if answers[0].content.missing() {
		return false, fmt.Errorf("it leaves out what the assistant says")
	}
	for i, id := range t.ids {
		if f.tok.IsSpecial(id) && t.to(i, r) > answers[0].content.to {
			f.turnEnd = id
			break
		}
	}
	all, err := f.askedTheSame(conversation, r, answers)
	return err == nil && all[0], err
}

// variables are what transformers gives a template beside the messages, and that a model
// which may think before it answers is not to: training data hold answers alone.
func variables(specials map[string]any) map[string]any {
	vars := map[string]any{"tools": nil, "documents": nil, "enable_thinking": false}
	for name, token := range specials {
		vars[name] = token
	}
	return vars
}

func (f *jinjaForm) String() string { return "the chat template of its directory" }

// span is a stretch of a rendered text, in bytes.
type span struct{ from, to int }

func (s span) missing() bool { return s.from >= s.to }

// rendered is a conversation as a template has written it.
type rendered struct {
	text     string
	segments []tokenizer.Segment
	contents []span // of each message's text
	blocks   []span // what stands in generation blocks
}

// render writes a conversation, with the beginning of the answer to it if open.
func (f *jinjaForm) render(messages []chat.Message, open bool) (*rendered, error) {
	list := jinja.NewList()
	size := 0
	for i, m := range messages {
		text := m.Text()
		list.Items = append(list.Items, jinja.NewDict().Set("role", jinja.Plain(m.Role)).Set("content", jinja.Given(text, i+1)))
		size += len(text)
	}
	vars := map[string]any{"messages": list, "add_generation_prompt": open}
	for name, v := range f.vars {
		vars[name] = v
	}
	out, err := f.template.Render(vars, jinja.Budget(budgetBase+budgetPerMessage*len(messages)+budgetPerByte*size))
	if words, ok := jinja.Raised(err); ok {
		return nil, fmt.Errorf("the model's chat template refuses the conversation: %s", strings.TrimRight(words, ".!"))
	}
	if err != nil {
		return nil, err
	}
	return newRendered(out, len(messages)), nil
}

func newRendered(out jinja.Text, messages int) *rendered {
	r := &rendered{text: out.String(), contents: make([]span, messages)}
	at := 0
	for part, mark := range out.Runs {
		r.segments = append(r.segments, tokenizer.Segment{Text: part, Special: mark.Source == 0})
		if mark.Source > 0 {
			r.contents[mark.Source-1].extend(at, at+len(part))
		}
		if mark.Block > 0 {
			for len(r.blocks) < mark.Block {
				r.blocks = append(r.blocks, span{})
			}
			r.blocks[mark.Block-1].extend(at, at+len(part))
		}
		at += len(part)
	}
	return r
}

func (s *span) extend(from, to int) {
	if s.missing() {
		s.from = from
	}
	s.to = to
}

// answer is where the parts of an assistant's turn are.
type answer struct {
	message int
	content span
	asked   int  // the end of what the model is given; -1 if the template writes it otherwise
	trained span // from where on, and at least up to where, it is trained
	next    int  // where the text of the next message begins
}

// answers finds the assistant's turns.
func (f *jinjaForm) answers(messages []chat.Message, r *rendered) (all []answer) {
	for i, m := range messages {
		if m.Role != chat.Assistant {
			continue
		}
		a := answer{message: i, content: r.contents[i], asked: f.asked(r, i), next: len(r.text)}
		final := i == len(messages)-1
		if !final && !r.contents[i+1].missing() {
			a.next = r.contents[i+1].from
		}
		switch {
		case f.template.HasGeneration():
			a.trained = a.within(r.blocks)
			a.trained.from = max(a.trained.from, a.asked)
		case a.asked >= 0:
			a.trained = span{a.asked, a.content.to}
		case final:
			a.trained = a.content
		}
		all = append(all, a)
	}
	return all
}

// asked returns the end of what the template writes before answer i when it asks for it; -1
// if it has written something else there.
func (f *jinjaForm) asked(r *rendered, i int) int {
	user := r.contents[i-1]
	end := user.to + len(f.opening)
	if user.missing() || end > r.contents[i].from || r.text[user.to:end] != f.opening {
		return -1
	}
	return end
}

// within returns the generation block that the answer stands in; missing if none.
func (a answer) within(blocks []span) span {
	for _, b := range blocks {
		if b.from < a.content.to && a.content.from < b.to {
			return b
		}
	}
	return span{}
}

// cuts are the places that no token reaches across, so that a conversation has the same
// tokens as the prompt that it begins with.
func cuts(answers []answer) (at []int) {
	for _, a := range answers {
		if a.content.missing() {
			continue
		}
		if a.asked >= 0 {
			at = append(at, a.asked)
		}
		if !a.trained.missing() && a.trained.from != a.asked {
			at = append(at, a.trained.from)
		}
	}
	return at
}

// tokens are a text's, with where each begins.
type tokens struct {
	ids    []int32
	starts []int
}

// to returns where token i ends.
func (t tokens) to(i int, r *rendered) int {
	if i+1 < len(t.starts) {
		return t.starts[i+1]
	}
	return len(r.text)
}

// encode returns the tokens of a rendered text, of which none reaches across a cut.
func (f *jinjaForm) encode(tok *tokenizer.Tokenizer, r *rendered, cuts []int) (t tokens, err error) {
	t.ids, t.starts, err = tok.EncodeApart(cuts, r.segments...)
	return t, err
}

// oneSystem joins system texts into one: few templates know more.
func oneSystem(messages []chat.Message) []chat.Message {
	n := slices.IndexFunc(messages, func(m chat.Message) bool { return m.Role != chat.System })
	if n < 2 {
		return messages
	}
	texts := make([]string, n)
	for i, m := range messages[:n] {
		texts[i] = m.Text()
	}
	return append([]chat.Message{chat.Text(chat.System, strings.Join(texts, systemEnd))}, messages[n:]...)
}

func (f *jinjaForm) prompt(ctx context.Context, messages []chat.Message) ([]int32, error) {
	messages = oneSystem(messages)
	r, err := f.render(messages, true)
	if err != nil {
		return nil, err
	}
	t, err := f.encode(f.tok.Within(ctx), r, cuts(f.answers(messages, r)))
	return t.ids, err
}

func (f *jinjaForm) example(messages []chat.Message) (Example, error) {
	if err := f.checkThoughts(messages); err != nil {
		return Example{}, err
	}
	messages = oneSystem(messages)
	r, err := f.render(messages, false)
	if err != nil {
		return Example{}, err
	}
	answers := f.answers(messages, r)
	t, err := f.encode(f.tok, r, cuts(answers))
	if err != nil {
		return Example{}, err
	}
	last := answers[len(answers)-1]
	if last.content.missing() {
		return Example{}, fmt.Errorf("the model's chat template leaves out what the assistant says last")
	}
	same, err := f.askedTheSame(messages, r, answers)
	if err != nil {
		return Example{}, err
	}
	e := Example{Tokens: t.ids, Trained: make([]bool, len(t.ids))}
	stop := 0 // after the last token that is trained
	for i, a := range answers {
		if messages[a.message].Untrained {
			continue
		}
		if a.trained.missing() || !same[i] && a.message != len(messages)-1 {
			e.Skipped++
			continue
		}
		from, to := f.trainedTokens(t, r, a)
		if !same[i] {
			return f.asAsked(messages, e.Tokens[from:to])
		}
		for j := from; j < to; j++ {
			e.Trained[j] = true
		}
		stop = to
	}
	if stop == 0 {
		return Example{}, errors.New("the model's chat template marks no answer as generated, so nothing is left to learn")
	}
	e.Tokens, e.Trained = e.Tokens[:stop], e.Trained[:stop]
	if f.turnEnd < 0 {
		e.Tokens, e.Trained = append(e.Tokens, f.end), append(e.Trained, true)
	}
	return e, nil
}

// thoughtEnd ends what models that think before they answer have thought.
const thoughtEnd = "</think>"

// checkThoughts refuses answers with thoughts where the template asks for answers without.
func (f *jinjaForm) checkThoughts(messages []chat.Message) error {
	if !strings.Contains(f.opening, thoughtEnd) {
		return nil
	}
	for i, m := range messages {
		if m.Role == chat.Assistant && strings.Contains(m.Text(), thoughtEnd) {
			return fmt.Errorf("message %d: the answer holds a thought (%s), and the model is asked to answer without: leave it out", i+1, thoughtEnd)
		}
	}
	return nil
}

// askedTheSame tells of each answer whether the conversation begins exactly as the prompt
// for it. Templates that leave out earlier thoughts, or move the system text to the last
// question, break that for all answers but the last. Of an answer that is not trained nobody asks.
func (f *jinjaForm) askedTheSame(messages []chat.Message, r *rendered, answers []answer) ([]bool, error) {
	same := make([]bool, len(answers))
	for i, a := range answers {
		if a.asked < 0 || messages[a.message].Untrained {
			continue
		}
		prompt, err := f.render(messages[:a.message], true)
		if err != nil {
			return nil, err
		}
		same[i] = prompt.text == r.text[:a.asked]
	}
	return same, nil
}

// trainedTokens returns the tokens [from, to) of an answer: all that begin within what is
// trained, and those up to the end of the turn.
func (f *jinjaForm) trainedTokens(t tokens, r *rendered, a answer) (from, to int) {
	from, _ = slices.BinarySearch(t.starts, a.trained.from)
	to, _ = slices.BinarySearch(t.starts, a.trained.to)
	for i := from; i < len(t.ids) && t.starts[i] < a.next; i++ {
		if t.ids[i] == f.turnEnd && t.to(i, r) > a.content.to {
			return from, max(to, i+1)
		}
	}
	return from, to
}

// asAsked makes an example of the prompt for the last answer, and the answer's tokens.
func (f *jinjaForm) asAsked(messages []chat.Message, answer []int32) (Example, error) {
	prompt, err := f.prompt(context.Background(), messages[:len(messages)-1])
	if err != nil {
		return Example{}, err
	}
	e := Example{Tokens: append(prompt, answer...)}
	e.mark(len(prompt), false)
	if f.turnEnd < 0 {
		e.Tokens = append(e.Tokens, f.end)
	}
	e.mark(len(e.Tokens), true)
	for _, m := range messages[:len(messages)-1] {
		if m.Role == chat.Assistant && !m.Untrained {
			e.Skipped++
		}
	}
	return e, nil
}

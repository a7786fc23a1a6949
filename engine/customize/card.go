package customize

import (
	"bytes"
	"fmt"
	"path"
	"slices"
	"text/template"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/engine/datacheck"
	"outcrop.dev/outcrop/engine/recipe"
	"outcrop.dev/outcrop/format/chattemplate"
	"outcrop.dev/outcrop/work/attempt"
)

// cardFile is the name of a model's card, as the Hugging Face hub shows it.
const cardFile = "README.md"

// cardTemplate says what went into a model, and what to know before using it. It holds no
// time and no machine, so that the same job writes the same card.
var cardTemplate = template.Must(template.New(cardFile).Parse(`---
base_model: {{.Job.BaseModelID}}
library_name: {{.Library}}
pipeline_tag: text-generation
---

# Fine-tuned from {{.Job.BaseModelID}}

Made by Outcrop's customization job {{.Job.JobID}}: {{.Method}}, with the loss on {{.Learnt}}. {{.Published}}

| data | rows | bytes | SHA-256 |
|---|---|---|---|
{{range .Inputs}}| {{.URI}} | {{.Rows}} | {{.Size}} | {{.SHA256}} |
{{end}}
| hyperparameter | given | used |
|---|---|---|
{{range .Hyper}}| {{.Name}} | {{.Given}} | {{.Used}} |
{{end}}
| | before | after |
|---|---|---|
| training loss, first and last step | {{printf "%.4f" .FirstLoss}} | {{printf "%.4f" .LastLoss}} |
{{range $i, $l := .Validation}}| validation loss {{$l.Name}} | {{printf "%.4f" $l.Before}} | {{printf "%.4f" $l.After}} |
{{end}}
Losses are nats a token. After a whole completion the model gives the end of text a probability of
{{printf "%.3f" .Parity.EndOfText.Mean}} on average and {{printf "%.3f" .Parity.EndOfText.Min}} at worst ({{.Parity.EndOfText.Rows}} rows). Training and serving agree on the loss of
{{.Parity.Tokens}} tokens: {{printf "%.6f" .Parity.TrainingLoss}} and {{printf "%.6f" .Parity.ServingLoss}}.

A lower validation loss does not by itself mean better answers: compare the answers too. What the base model's card
says about its data, licences and limits holds for this model as well.

## Form

The model was taught, and is to be asked, in this form: {{.Form}}.
`))

type cardInput struct {
	input
	Rows int
}

type cardHyper struct{ Name, Given, Used string }

type cardLoss struct {
	Name          string
	Before, After float64
}

// learnt is what the loss is taken on.
func learnt(rows *datacheck.Rows) string {
	if rows.Documents {
		return "every token of the documents"
	}
	return "completions only"
}

// card renders the model's card.
func (r *run) card(p parity) []byte {
	data := struct {
		Job                 attempt.Spec
		Library             string
		Method, Published   string
		Inputs              []cardInput
		Hyper               []cardHyper
		FirstLoss, LastLoss float64
		Validation          []cardLoss
		Parity              parity
		Form, Learnt        string
	}{
		Job: r.job, Library: libraries[r.spec.Method], Method: methods[r.spec.Method], Published: r.whatIsPublished(), Hyper: r.hyper(),
		FirstLoss: r.firstLoss, LastLoss: *r.progress.TrainingLoss, Parity: p, Form: r.data.Template.String(), Learnt: learnt(r.data),
	}
	sets := slices.Concat([][]chattemplate.Example{r.data.Training}, r.data.Validation)
	for i, in := range r.inputs {
		data.Inputs = append(data.Inputs, cardInput{in, len(sets[i])})
	}
	for i, uri := range r.job.ValidationURIs {
		first, last := r.evaluations[0], r.publishedEvaluation()
		data.Validation = append(data.Validation, cardLoss{path.Base(uri), first.Losses[i], last.Losses[i]})
	}
	var b bytes.Buffer
	if err := cardTemplate.Execute(&b, data); err != nil {
		panic("customize: " + err.Error()) // our own bug: the template and its data are constant in shape
	}
	return b.Bytes()
}

// libraries are what loads a model that was trained so.
var libraries = map[outcrop.Method]string{outcrop.MethodFull: "transformers", outcrop.MethodLoRA: "peft"}

// methods says in words how a model was trained.
var methods = map[outcrop.Method]string{outcrop.MethodFull: "full fine-tuning", outcrop.MethodLoRA: "low-rank adapters (LoRA)"}

// whatIsPublished says which step's weights the model has, and why.
func (r *run) whatIsPublished() string {
	steps, planned, step := r.progress.Step, r.progress.Steps, r.progress.PublishedStep
	s := fmt.Sprintf("These are the weights of step %d of %d", step, planned)
	if r.selects() {
		if e := r.publishedEvaluation(); e.Exact != nil {
			s += fmt.Sprintf(", which answered the most validation rows exactly (%.1f %%)", 100**e.Exact)
		} else {
			s += ", which had the lowest validation loss"
		}
	}
	if steps < planned {
		s += fmt.Sprintf("; the training ended at step %d, because the validation loss no longer fell", steps)
	}
	return s + "."
}

func (r *run) hyper() (rows []cardHyper) {
	used := recipe.Values(r.usedSpec())
	for _, name := range recipe.Names() {
		if _, ok := used[name]; !ok {
			continue
		}
		given, ok := r.job.HyperParameters[name]
		if !ok {
			given = "(default)"
		}
		rows = append(rows, cardHyper{name, given, used[name]})
	}
	return rows
}

package pretrain

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
	"text/template"
)

// cardFile is the name of the model card, as the Hugging Face hub shows it.
const cardFile = "README.md"

// cardTemplate says what the model is, what went into it, and what it is not. It holds no
// time and no machine, so that the same run writes the same card.
var cardTemplate = template.Must(template.New(cardFile).Parse(`---
library_name: transformers
pipeline_tag: text-generation
---

# {{.Name}}

A language model of {{.Record.Params}} weights, trained from nothing by Outcrop's own engine (` + "`outcrop pretrain`" + `): a
Llama-style decoder of {{.Shape.Layers}} layers, {{.Shape.Hidden}} channels, {{.Shape.Heads}} heads, with {{.Shape.Vocab}} tokens (byte-level BPE) and
{{.Shape.Context}} positions. It is a base to fine-tune, not an assistant: it writes grammatical sentences, loses the thread after a
few, knows few facts, and cannot calculate.

## Measured

| | nats a token | bits a byte |
|---|---|---|
| running text, held out | {{printf "%.4f" .Record.CorpusLoss}} | {{printf "%.4f" .Record.CorpusBitsPerByte}} |
| instructions, held out | {{printf "%.4f" .Record.InstructLoss}} | {{printf "%.4f" .Record.InstructBitsPerByte}} |
{{with .Record.MinimalPairs}}
Minimal pairs of sentences in which it finds the grammatical one likelier: {{printf "%.1f" .Percent}} % of {{.Pairs}} (chance is 50 %).
{{end}}
## Training

{{.Record.Steps}} steps of about {{.Config.BatchTokens}} tokens, {{.Record.Tokens}} tokens read in all. AdamW (0.9, 0.95, weight decay {{.Config.WeightDecay}}), learning
rate {{.Config.LearningRate}}, warmup, plateau, linear decay over the last {{printf "%.0f" .DecayPercent}} % of the steps, gradients clipped to norm 1.
Every token counts in the loss, those of prompts too. training.json beside this file holds the whole configuration.

## Data

{{.Record.LinesKept}} records; {{.Record.LinesLeftOut}} were left out because they are share-alike, may be in copyright in some countries,
or belong to a group that this run leaves out.

| source | licence | records |
|---|---|---|
{{range .Sources}}| {{.Source}} | {{.Licence}} | {{.Records}} |
{{end}}
## Form

One turn is ` + "`<|bos|>{user}<|sep|>{assistant}<|eos|>`" + `; tokenizer_config.json holds the same as a chat template.
`))

// origin is where records come from.
type origin struct{ Source, Licence string }

type cardSource struct {
	origin
	Records int
}

func (r *run) card(x Record) ([]byte, error) {
	var b bytes.Buffer
	err := cardTemplate.Execute(&b, map[string]any{
		"Name": r.Name, "Record": x, "Shape": r.model.Config, "Config": r.Config,
		"DecayPercent": 100 * r.DecayShare, "Sources": sources(r.data.corpus, r.data.instruct),
	})
	return b.Bytes(), err
}

// partsMax is how many parts of one collection the card names; of one with more it names
// the collection.
const partsMax = 100

// sources adds up the corpora, sorted by name: of a source like collection/part/file the
// collection and the part.
func sources(corpora ...*corpus) (list []cardSource) {
	parts := map[string]map[string]bool{} // of each collection
	for _, c := range corpora {
		for o := range c.origins {
			collection, part := o.place()
			if parts[collection] == nil {
				parts[collection] = map[string]bool{}
			}
			parts[collection][part] = true
		}
	}
	all := map[origin]int{}
	for _, c := range corpora {
		for o, n := range c.origins {
			collection, part := o.place()
			if part != "" && len(parts[collection]) <= partsMax {
				collection += "/" + part
			}
			all[origin{collection, o.Licence}] += n
		}
	}
	for o, n := range all {
		list = append(list, cardSource{o, n})
	}
	slices.SortFunc(list, func(a, b cardSource) int {
		return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.Licence, b.Licence))
	})
	return list
}

// place returns the first two elements of the source's name.
func (o origin) place() (collection, part string) {
	names := strings.Split(o.Source, "/")
	if len(names) == 1 {
		return names[0], ""
	}
	return names[0], names[1]
}

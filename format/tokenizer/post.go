package tokenizer

import (
	"encoding/json"
	"fmt"
	"slices"
)

// jsonPost is a post_processor of the file: the fields of all types.
type jsonPost struct {
	Type          string                 `json:"type"`
	Processors    []jsonPost             `json:"processors"`
	Single        []jsonPostPiece        `json:"single"`
	SpecialTokens map[string]jsonPostIDs `json:"special_tokens"`
	Sep           tokenAndID             `json:"sep"`
	Cls           tokenAndID             `json:"cls"`
}

type jsonPostPiece struct {
	SpecialToken *struct {
		ID string `json:"id"`
	} `json:"SpecialToken"`
	Sequence *struct {
		ID string `json:"id"`
	} `json:"Sequence"`
}

type jsonPostIDs struct {
	IDs []int32 `json:"ids"`
}

// tokenAndID is written ["</s>", 2].
type tokenAndID struct {
	id  int32
	set bool
}

// UnmarshalJSON reads a pair of token and id.
func (t *tokenAndID) UnmarshalJSON(b []byte) error {
	var token string
	both := []any{&token, &t.id}
	if err := json.Unmarshal(b, &both); err != nil {
		return err
	}
	t.set = len(both) == 2
	return nil
}

// framePartsMax bounds a template's length; published ones have three parts.
const framePartsMax = 256

// part of what a post-processor makes: an id, or the text's.
type part struct {
	id   int32
	text bool
}

func (t *Tokenizer) readPost(f *file) error {
	if f.PostProcessor == nil {
		return nil
	}
	if err := t.addPost(*f.PostProcessor, 0); err != nil {
		return fmt.Errorf("post_processor %s: %w", f.PostProcessor.Type, err)
	}
	for _, p := range t.frame {
		if !p.text && !t.has(p.id) {
			return fmt.Errorf("post_processor %s: there is no token %d", f.PostProcessor.Type, p.id)
		}
	}
	return nil
}

func (t *Tokenizer) addPost(p jsonPost, depth int) error {
	var frame []part
	switch p.Type {
	case "ByteLevel": // trims offsets, which changes no id
		return nil
	case "Sequence":
		return t.addPosts(p.Processors, depth)
	case "TemplateProcessing":
		var err error
		if frame, err = p.template(); err != nil {
			return err
		}
	case "RobertaProcessing", "BertProcessing":
		if !p.Sep.set || !p.Cls.set {
			return fmt.Errorf("sep or cls is missing")
		}
		frame = []part{{id: p.Cls.id}, {text: true}, {id: p.Sep.id}}
	default:
		return fmt.Errorf("not supported")
	}
	if t.frame != nil {
		return fmt.Errorf("a second one that adds tokens is not supported")
	}
	t.frame = frame
	return nil
}

func (t *Tokenizer) addPosts(all []jsonPost, depth int) error {
	if depth >= nestingMax {
		return fmt.Errorf("nested %d deep", depth+1)
	}
	for _, p := range all {
		if err := t.addPost(p, depth+1); err != nil {
			return fmt.Errorf("%s: %w", p.Type, err)
		}
	}
	return nil
}

// template returns the parts of the template for one text. What it has for pairs of texts
// does not matter here.
func (p *jsonPost) template() (frame []part, err error) {
	for _, piece := range p.Single {
		switch {
		case piece.SpecialToken != nil:
			s, ok := p.SpecialTokens[piece.SpecialToken.ID]
			if !ok {
				return nil, fmt.Errorf("%q is not in special_tokens", piece.SpecialToken.ID)
			}
			for _, id := range s.IDs {
				frame = append(frame, part{id: id})
			}
		case piece.Sequence != nil && piece.Sequence.ID == "A":
			frame = append(frame, part{text: true})
		default:
			return nil, fmt.Errorf("single has a part that is neither a special token nor sequence A")
		}
		if len(frame) > framePartsMax {
			return nil, fmt.Errorf("single has more than %d parts", framePartsMax)
		}
	}
	return frame, nil
}

// PostProcess returns ids with what the file puts round a text that stands alone: the tokens
// of the beginning and of the end, where it has any. It is for texts and prompts of base
// models; chat templates write these tokens themselves. ids is not changed.
func (t *Tokenizer) PostProcess(ids []int32) []int32 {
	if t.frame == nil {
		return slices.Clone(ids)
	}
	out := make([]int32, 0, len(ids)+len(t.frame))
	for _, p := range t.frame {
		if p.text {
			out = append(out, ids...)
		} else {
			out = append(out, p.id)
		}
	}
	return out
}

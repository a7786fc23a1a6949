package bedrockruntime

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strings"

	"outcrop.dev/outcrop"
)

// topKMax bounds top_k: more than any vocabulary has.
const topKMax = 1 << 20

// conversation is what the operations with messages are asked.
type conversation struct {
	messages  []Message
	system    []SystemContentBlock
	inference *InferenceConfiguration
	extra     json.RawMessage // additionalModelRequestFields
	tools     bool
	output    bool
	variables bool
	settings  settings
}

// request returns the conversation for a model with the dialect d, whose defaults it takes.
// CodeValidation for what the model cannot do, in AWS's words where they are known.
func (c conversation) request(d dialect) (outcrop.GenerateRequest, error) {
	req := d.defaults()
	if err := c.unsupported(); err != nil {
		return req, err
	}
	var err error
	if req.Messages, err = c.turns(); err != nil {
		return req, err
	}
	if err := inferenceConfig(c.inference, &req); err != nil {
		return req, err
	}
	return req, additional(c.extra, &req)
}

// unsupported refuses what would otherwise be ignored.
func (c conversation) unsupported() error {
	switch {
	case c.tools:
		return outcrop.Errorf(outcrop.CodeValidation, "This model doesn't support tool use. Send the request without toolConfig.")
	case c.output:
		return outcrop.Errorf(outcrop.CodeValidation, "This model doesn't support structured output. Send the request without outputConfig.")
	case c.variables:
		return outcrop.Errorf(outcrop.CodeValidation, "promptVariables belong to a prompt of prompt management, which this server does not have.")
	}
	return c.settings.check()
}

// turns returns the conversation's messages in order: any system text, then user and assistant
// by turns, the user first and last.
func (c conversation) turns() ([]outcrop.Message, error) {
	var out []outcrop.Message
	for i, b := range c.system {
		text, err := textOf(b, b.Text, fmt.Sprintf("system.%d", i), "SystemContentBlock")
		if err != nil {
			return nil, err
		}
		out = append(out, outcrop.Text(outcrop.RoleSystem, text))
	}
	last := ""
	for i, m := range c.messages {
		parts, err := m.parts(i)
		if err == nil {
			err = follows(last, m.Role, i)
		}
		if err != nil {
			return nil, err
		}
		out = append(out, outcrop.Message{Role: m.Role, Content: parts})
		if m.Role != outcrop.RoleSystem {
			last = m.Role
		}
	}
	if last == outcrop.RoleAssistant {
		return nil, outcrop.Errorf(outcrop.CodeValidation,
			"The model that you are using requires the last turn in the conversation to be a user message. Add a user message to the conversation and try again.")
	} else if last == "" {
		return nil, errNoUser
	}
	return out, nil
}

var errNoUser = outcrop.Errorf(outcrop.CodeValidation,
	"A conversation must start with a user message. Try again with a conversation that starts with a user message.")

// follows checks the role of message i after a message of the role last, "" at the start.
func follows(last, role string, i int) error {
	switch {
	case role == outcrop.RoleSystem && last != "":
		return outcrop.Errorf(outcrop.CodeValidation,
			"The system message at messages.%d comes after the conversation has begun. Put system text first, or into the system field.", i)
	case role == outcrop.RoleAssistant && last == "":
		return errNoUser
	case role == last && role != outcrop.RoleSystem:
		return outcrop.Errorf(outcrop.CodeValidation,
			"A conversation must alternate between user and assistant roles: the message at messages.%d has the role %s, like the one before. Make sure the conversation alternates between user and assistant roles and try again.", i, role)
	}
	return nil
}

// parts returns the content of message i.
func (m Message) parts(i int) ([]outcrop.Part, error) {
	if len(m.Content) == 0 {
		return nil, outcrop.Errorf(outcrop.CodeValidation,
			"The content field in the Message object at messages.%d is empty. Add a ContentBlock object to the content field and try again.", i)
	}
	parts := make([]outcrop.Part, len(m.Content))
	for j, b := range m.Content {
		var err error
		if parts[j].Text, err = textOf(b, b.Text, fmt.Sprintf("messages.%d.content.%d", i, j), "ContentBlock"); err != nil {
			return nil, err
		}
	}
	return parts, nil
}

// textOf returns the text of the block at a place; block is the union that text belongs to.
func textOf(block any, text *string, at, union string) (string, error) {
	switch {
	case text == nil:
		return "", outcrop.Errorf(outcrop.CodeValidation,
			"This model doesn't support the %s content block that you provided at %s. Remove it, or use text instead, and try again.", blockName(block), at)
	case strings.TrimSpace(*text) == "":
		return "", outcrop.Errorf(outcrop.CodeValidation,
			"The text field in the %s object at %s is blank. Add text to the text field, and try again.", union, at)
	}
	return *text, nil
}

// blockName returns the name of the member that is set in a union.
func blockName(union any) string {
	v := reflect.ValueOf(union)
	for i := range v.NumField() {
		if name := v.Type().Field(i).Tag.Get("json"); name != "" && !v.Field(i).IsZero() {
			return name
		}
	}
	return "empty"
}

// inferenceConfig applies the member of that name.
func inferenceConfig(c *InferenceConfiguration, req *outcrop.GenerateRequest) error {
	if c == nil {
		return nil
	}
	if c.MaxTokens != nil {
		req.MaxTokens = *c.MaxTokens
	}
	if c.Temperature != nil {
		req.Temperature = *c.Temperature
	}
	if c.TopP != nil { // 0, which Converse allows, keeps the likeliest token
		req.TopP = max(*c.TopP, math.SmallestNonzeroFloat64)
	}
	for i, s := range c.StopSequences {
		if len(s) > stopSequenceBytesMax {
			return outcrop.Errorf(outcrop.CodeValidation,
				"The stop sequence at inferenceConfig.stopSequences.%d has %d bytes. The longest that this model takes has %d.", i, len(s), stopSequenceBytesMax)
		}
	}
	req.Stop = c.StopSequences
	return nil
}

// additional applies additionalModelRequestFields: top_k (or topK), which keeps so many of
// the likeliest tokens, seed, which makes an answer repeatable, and logprobs, which has
// additionalModelResponseFields tell about each token.
func additional(raw json.RawMessage, req *outcrop.GenerateRequest) error {
	if raw == nil {
		return nil
	}
	var b body
	m := b.members("#", raw, "top_k", "topK", "seed", "logprobs")
	k := int64(req.TopK)
	b.integer("#/top_k", m["top_k"], 0, topKMax, &k)
	b.integer("#/topK", m["topK"], 0, topKMax, &k)
	b.seed("#/seed", m["seed"], req)
	b.logprobs("#/logprobs", m["logprobs"], req)
	req.TopK = int(k)
	return b.err()
}

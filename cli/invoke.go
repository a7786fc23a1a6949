package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime/types"
	"github.com/spf13/cobra"
)

// promptBytesMax bounds a prompt read from standard input: no model here has a context that
// a megabyte of text fits in.
const promptBytesMax = 1 << 20

// bodyBytesMax is the API's own limit of an InvokeModel body.
const bodyBytesMax = 25 << 20

type invocation struct {
	model, system, body    string
	maxTokens              int32
	temperature, topP      float32
	stop                   []string
	stream                 bool
	temperatureSet, topSet bool
}

func (a *app) invokeCommand() *cobra.Command {
	v := &invocation{}
	c := &cobra.Command{
		Use:   "invoke --model MODEL PROMPT",
		Short: "Ask a model for text",
		Long: `Ask a model for text: a foundation model by its id, a custom model by the name or the ARN of its
provisioned throughput. The prompt is the argument, or standard input if that is "-". The call is
Converse, or ConverseStream with --stream; with --body it is InvokeModel with that body as it is.`,
		Example: `  outcrop invoke --model outcrop.pebble-v1 'Once upon a time'
  outcrop invoke --model notes-prod --stream - < note.txt
  outcrop invoke --model notes-prod --body '{"inputText":"Hello"}'`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 || (len(args) == 1) == (v.body != "") {
				return errors.New(`give one prompt ("-" reads it from standard input), or --body`)
			}
			return nil
		},
		RunE: a.withClient(func(c *cobra.Command, api *client, args []string) error {
			v.temperatureSet, v.topSet = c.Flags().Changed("temperature"), c.Flags().Changed("top-p")
			return a.invoke(c.Context(), api, v, args)
		}),
	}
	f := c.Flags()
	f.StringVar(&v.model, "model", "", "model to ask")
	f.StringVar(&v.system, "system", "", "system `text`")
	f.StringVar(&v.body, "body", "", "send this `JSON` body (or @FILE) with InvokeModel instead of a prompt")
	f.Int32Var(&v.maxTokens, "max-tokens", 256, "most tokens to generate")
	f.Float32Var(&v.temperature, "temperature", 0, "0 is greedy (default: the model's)")
	f.Float32Var(&v.topP, "top-p", 0, "sample from this share of the probability (default: the model's)")
	f.StringArrayVar(&v.stop, "stop", nil, "end the answer before this `text`; may be repeated")
	f.BoolVar(&v.stream, "stream", false, "print the answer as it comes")
	require(c, "model")
	c.MarkFlagsMutuallyExclusive("body", "stream")
	c.MarkFlagsMutuallyExclusive("body", "system")
	return c
}

func (a *app) invoke(ctx context.Context, api *client, v *invocation, args []string) error {
	if v.body != "" {
		return a.invokeBody(ctx, api, v)
	}
	prompt, err := a.prompt(args[0])
	if err != nil {
		return err
	}
	if v.stream {
		return a.converseStream(ctx, api, v, prompt)
	}
	out, err := api.runtime.Converse(ctx, &bedrockruntime.ConverseInput{
		ModelId: aws.String(v.model), Messages: userTurn(prompt), System: v.systemBlocks(), InferenceConfig: v.config(),
	})
	if err != nil {
		return err
	}
	if a.output == outputJSON {
		return a.printJSON(out)
	}
	a.printf("%s\n", textOf(out))
	return nil
}

// prompt returns the argument, or standard input for "-".
func (a *app) prompt(arg string) (string, error) {
	if arg != "-" {
		return arg, nil
	}
	b, err := readAtMost(a.in, promptBytesMax)
	if err != nil {
		return "", fmt.Errorf("read the prompt: %w", err)
	}
	return strings.TrimRight(string(b), "\r\n"), nil
}

func readAtMost(r io.Reader, limit int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(b)) > limit {
		return nil, fmt.Errorf("it is longer than %d bytes", limit)
	}
	return b, err
}

func userTurn(text string) []types.Message {
	return []types.Message{{
		Role: types.ConversationRoleUser, Content: []types.ContentBlock{&types.ContentBlockMemberText{Value: text}},
	}}
}

func (v *invocation) systemBlocks() []types.SystemContentBlock {
	if v.system == "" {
		return nil
	}
	return []types.SystemContentBlock{&types.SystemContentBlockMemberText{Value: v.system}}
}

func (v *invocation) config() *types.InferenceConfiguration {
	c := &types.InferenceConfiguration{MaxTokens: aws.Int32(v.maxTokens), StopSequences: v.stop}
	if v.temperatureSet {
		c.Temperature = aws.Float32(v.temperature)
	}
	if v.topSet {
		c.TopP = aws.Float32(v.topP)
	}
	return c
}

func textOf(out *bedrockruntime.ConverseOutput) string {
	message, ok := out.Output.(*types.ConverseOutputMemberMessage)
	if !ok {
		return ""
	}
	var text strings.Builder
	for _, block := range message.Value.Content {
		if t, ok := block.(*types.ContentBlockMemberText); ok {
			text.WriteString(t.Value)
		}
	}
	return text.String()
}

// converseStream prints pieces as they come: text, or with --output json one object a line.
func (a *app) converseStream(ctx context.Context, api *client, v *invocation, prompt string) error {
	out, err := api.runtime.ConverseStream(ctx, &bedrockruntime.ConverseStreamInput{
		ModelId: aws.String(v.model), Messages: userTurn(prompt), System: v.systemBlocks(), InferenceConfig: v.config(),
	})
	if err != nil {
		return err
	}
	stream := out.GetStream()
	for event := range stream.Events() {
		if err := a.printEvent(event); err != nil {
			return errors.Join(err, stream.Close())
		}
	}
	if a.output != outputJSON {
		a.printf("\n")
	}
	return errors.Join(stream.Err(), stream.Close())
}

func (a *app) printEvent(event types.ConverseStreamOutput) error {
	if a.output == outputJSON {
		return a.printJSON(event)
	}
	if d, ok := event.(*types.ConverseStreamOutputMemberContentBlockDelta); ok {
		if t, ok := d.Value.Delta.(*types.ContentBlockDeltaMemberText); ok {
			a.printf("%s", t.Value)
		}
	}
	return nil
}

func (a *app) invokeBody(ctx context.Context, api *client, v *invocation) error {
	body := []byte(v.body)
	if file, ok := strings.CutPrefix(v.body, "@"); ok {
		f, err := os.Open(file)
		if err != nil {
			return err
		}
		defer f.Close()
		if body, err = readAtMost(f, bodyBytesMax); err != nil {
			return fmt.Errorf("read %s: %w", file, err)
		}
	}
	out, err := api.runtime.InvokeModel(ctx, &bedrockruntime.InvokeModelInput{
		ModelId: aws.String(v.model), Body: body, ContentType: aws.String("application/json"),
	})
	if err != nil {
		return err
	}
	a.printf("%s\n", out.Body)
	return nil
}

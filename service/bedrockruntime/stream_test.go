package bedrockruntime

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/bedrockruntime"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime/types"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/wire/restjson"
)

// chunks reads an invoke stream to its end.
func chunks(t *testing.T, c *sdk.Client, modelID, body string) (chunks []string, err error) {
	t.Helper()
	out, err := c.InvokeModelWithResponseStream(context.Background(), &sdk.InvokeModelWithResponseStreamInput{ModelId: &modelID, Body: []byte(body)})
	if err != nil {
		return nil, err
	}
	if got := aws.ToString(out.ContentType); got != "application/json" {
		t.Errorf("content type of the chunks %q", got)
	}
	stream := out.GetStream()
	defer stream.Close()
	for e := range stream.Events() {
		chunks = append(chunks, string(e.(*types.ResponseStreamMemberChunk).Value.Bytes))
	}
	return chunks, stream.Err()
}

func TestInvokeStream(t *testing.T) {
	t.Parallel()
	bothProtocols(t, func(t *testing.T, r *rig, c *sdk.Client) {
		got, err := chunks(t, c, string(readyARN), `{"inputText":"hi","textGenerationConfig":{"maxTokenCount":3}}`)
		if err != nil {
			t.Fatal(err)
		}
		piece := func(s string) string {
			return `{"outputText":"` + s + `","index":0,"totalOutputTextTokenCount":null,"completionReason":null,"inputTextTokenCount":null}`
		}
		want := []string{piece("Banded"), piece(" grey"), piece(" gneiss."),
			`{"outputText":"","index":0,"totalOutputTextTokenCount":3,"completionReason":"FINISH","inputTextTokenCount":5,` +
				`"amazon-bedrock-invocationMetrics":{"inputTokenCount":5,"outputTokenCount":3,"invocationLatency":20,"firstByteLatency":10}}`}
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		if u := r.meter.all(); len(u) != 1 || u[0].Operation != "InvokeModelWithResponseStream" || u[0].OutputTokens != 3 {
			t.Errorf("metered %+v", u)
		}
	})
}

// TestStreamErrors: before the first piece an error is an answer, after it an exception.
func TestStreamErrors(t *testing.T) {
	t.Parallel()
	bothProtocols(t, func(t *testing.T, r *rig, c *sdk.Client) {
		_, err := chunks(t, c, titanID, `{}`)
		wantAPIError(t, err, outcrop.CodeValidation, "required key [inputText] not found")
		_, err = chunks(t, c, string(modelARN), hi)
		wantAPIError(t, err, outcrop.CodeValidation, "isn’t supported")

		words := r.engine.words
		for _, e := range []struct {
			err      error
			invoke   outcrop.Code
			converse outcrop.Code
			says     string
		}{
			{outcrop.Errorf(outcrop.CodeThrottling, "Too much."), "ThrottlingException", "ThrottlingException", "Too much."},
			{outcrop.Errorf(outcrop.CodeValidation, "No."), "ValidationException", "ValidationException", "No."},
			{outcrop.Errorf(outcrop.CodeModelError, "Damaged."), "ModelStreamErrorException", "ModelStreamErrorException", "Damaged."},
			{outcrop.Errorf(outcrop.CodeModelTimeout, "Slow."), "ModelTimeoutException", "ModelStreamErrorException", "Slow."},
			{outcrop.Errorf(outcrop.CodeServiceUnavailable, "Down."), "ServiceUnavailableException", "ServiceUnavailableException", "Down."},
			{errors.New("secret detail"), "InternalServerException", "InternalServerException", "request id request-1"},
		} {
			r.engine.words, r.engine.err = words, e.err
			got, err := chunks(t, c, titanID, hi)
			wantAPIError(t, err, e.invoke, e.says)
			if len(got) != 3 || strings.Contains(err.Error(), "secret") {
				t.Errorf("%v: %d chunks, %v", e.err, len(got), err)
			}
			evs, err := events(t, c, titanID)
			wantAPIError(t, err, e.converse, e.says)
			if len(evs) != 4 { // messageStart and the pieces
				t.Errorf("%v: %q", e.err, evs)
			}
			r.engine.words = nil
			_, err = chunks(t, c, titanID, hi)
			wantAPIError(t, err, outcrop.CodeOf(e.err), e.says)
			_, err = events(t, c, titanID)
			wantAPIError(t, err, outcrop.CodeOf(e.err), e.says)
		}
	})
}

// TestClientGone: generation ends when the client hangs up, and what it used is metered.
func TestClientGone(t *testing.T) {
	t.Parallel()
	bothProtocols(t, func(t *testing.T, r *rig, c *sdk.Client) {
		r.engine.block, r.engine.gone = make(chan bool), make(chan error)
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		out, err := c.InvokeModelWithResponseStream(ctx, &sdk.InvokeModelWithResponseStreamInput{ModelId: &titanID, Body: []byte(hi)})
		if err != nil {
			t.Fatal(err)
		}
		stream := out.GetStream()
		<-stream.Events() // the first piece arrives while the second is not generated yet
		stream.Close()
		cancel()
		for range stream.Events() { // until the SDK reads no more: streams of one client share a buffer
		}
		if err := <-r.engine.gone; err != context.Canceled {
			t.Errorf("got %v", err)
		}
		waitFor(t, func() bool { return len(r.meter.all()) == 1 })
		if u := r.meter.all()[0]; u.OutputTokens != 1 || u.InputTokens != 5 {
			t.Errorf("metered %+v", u)
		}

		r.engine.begun = make(chan bool)
		hi := []types.Message{userSays("hi")}
		for name, call := range map[string]func(context.Context) error{
			"InvokeModel": func(ctx context.Context) error {
				_, err := c.InvokeModel(ctx, &sdk.InvokeModelInput{ModelId: &titanID, Body: []byte(`{"inputText":"hi"}`)})
				return err
			},
			"Converse": func(ctx context.Context) error {
				_, err := c.Converse(ctx, &sdk.ConverseInput{ModelId: &titanID, Messages: hi})
				return err
			},
			"ConverseStream": func(ctx context.Context) error {
				out, err := c.ConverseStream(ctx, &sdk.ConverseStreamInput{ModelId: &titanID, Messages: hi})
				if err == nil {
					defer out.GetStream().Close()
					<-ctx.Done()
					err = ctx.Err()
				}
				return err
			},
		} {
			ctx, cancel := context.WithCancel(context.Background())
			go func() { <-r.engine.begun; cancel() }()
			if err := call(ctx); !errors.Is(err, context.Canceled) {
				t.Errorf("%s: got %v", name, err)
			}
			if err := <-r.engine.gone; err != context.Canceled {
				t.Errorf("%s: generation ended with %v", name, err)
			}
		}
	})
}

// TestConnectionBreaks: a frame that cannot be written, whichever it is, is an error of ours only if
// the caller is still there.
func TestConnectionBreaks(t *testing.T) {
	t.Parallel()
	for frame := range 5 { // three words, the end, and none
		for _, gone := range []bool{false, true} {
			var log strings.Builder
			ctx, hangUp := context.WithCancel(t.Context())
			router := restjson.NewRouter(func() string { return "request-1" }, slog.New(slog.NewTextHandler(&log, nil)))
			Register(router, newRig(t).svc)
			w := &breaking{ResponseWriter: httptest.NewRecorder(), frames: frame, broken: func() {
				if gone {
					hangUp()
				}
			}}
			req := httptest.NewRequestWithContext(outcrop.WithCaller(ctx, outcrop.Caller{Account: scope.Account, Region: scope.Region}),
				"POST", "/model/"+titanID+"/invoke-with-response-stream", strings.NewReader(hi))
			router.ServeHTTP(w, req)
			if logged := strings.Contains(log.String(), "internal error"); logged != (frame < 4 && !gone) {
				t.Errorf("frame %d, caller gone %v: logged %q", frame, gone, log.String())
			}
			hangUp()
		}
	}
}

// breaking breaks after so many frames.
type breaking struct {
	http.ResponseWriter
	frames int
	broken func()
}

func (w *breaking) Write(p []byte) (int, error) {
	if w.frames--; w.frames < 0 {
		w.broken()
		return 0, errors.New("write: broken pipe")
	}
	return w.ResponseWriter.Write(p)
}

func (w *breaking) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// events reads a Converse stream to its end, an event a line.
func events(t *testing.T, c *sdk.Client, modelID string) (lines []string, err error) {
	t.Helper()
	out, err := c.ConverseStream(context.Background(), &sdk.ConverseStreamInput{ModelId: &modelID, Messages: []types.Message{userSays("hi")}})
	if err != nil {
		return nil, err
	}
	stream := out.GetStream()
	defer stream.Close()
	for e := range stream.Events() {
		lines = append(lines, eventLine(t, e))
	}
	return lines, stream.Err()
}

func eventLine(t *testing.T, e types.ConverseStreamOutput) string {
	t.Helper()
	switch e := e.(type) {
	case *types.ConverseStreamOutputMemberMessageStart:
		return "messageStart " + string(e.Value.Role)
	case *types.ConverseStreamOutputMemberContentBlockDelta:
		return "contentBlockDelta " + e.Value.Delta.(*types.ContentBlockDeltaMemberText).Value
	case *types.ConverseStreamOutputMemberContentBlockStop:
		return "contentBlockStop"
	case *types.ConverseStreamOutputMemberMessageStop:
		return "messageStop " + string(e.Value.StopReason)
	case *types.ConverseStreamOutputMemberMetadata:
		b, err := json.Marshal([]any{e.Value.Usage.InputTokens, e.Value.Usage.OutputTokens, e.Value.Usage.TotalTokens, e.Value.Metrics.LatencyMs})
		if err != nil {
			t.Fatal(err)
		}
		return "metadata " + string(b)
	}
	t.Fatalf("unexpected event %T", e)
	return ""
}

func TestConverseStream(t *testing.T) {
	t.Parallel()
	bothProtocols(t, func(t *testing.T, r *rig, c *sdk.Client) {
		got, err := events(t, c, string(readyARN))
		want := "messageStart assistant|contentBlockDelta Banded|contentBlockDelta  grey|contentBlockDelta  gneiss.|contentBlockStop|messageStop end_turn|metadata [5,3,8,20]"
		if err != nil || strings.Join(got, "|") != want {
			t.Errorf("got %q, %v; want %q", strings.Join(got, "|"), err, want)
		}
		r.engine.words, r.engine.reason = nil, outcrop.StopLength
		got, err = events(t, c, string(readyARN))
		want = "messageStart assistant|contentBlockDelta |contentBlockStop|messageStop max_tokens|metadata [5,0,5,10]"
		if err != nil || strings.Join(got, "|") != want {
			t.Errorf("got %q, %v; want %q", strings.Join(got, "|"), err, want)
		}
	})
}

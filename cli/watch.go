package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/bedrock"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"outcrop.dev/outcrop/wire/restjson"
)

// watchInterval is how often a watched job is asked for: often enough for a line that
// moves, rare enough to cost the server nothing.
const watchInterval = 500 * time.Millisecond

// watchPatience is how long a watch rides out a server that does not answer: one that is
// restarted comes back within seconds, and its jobs go on meanwhile.
const watchPatience = time.Minute

// progress is what the progress header holds, and the losses that the API does have.
type progress struct {
	restjson.ProgressView
	phase            string
	loss, validation *float64
}

// watchAndPrint follows a job, shows it when it has ended, and returns how it ended as an
// exit code.
func (a *app) watchAndPrint(ctx context.Context, api *client, id string) error {
	out := a.out
	if a.output == outputJSON {
		out = a.err
	}
	job, err := watchJob(ctx, api, id, newProgressLine(out))
	if errors.Is(err, context.Canceled) {
		a.note("The job goes on. Follow it again with: outcrop jobs watch %s", id)
	}
	if err != nil {
		return err
	}
	if err := a.printJob(job); err != nil {
		return err
	}
	return jobExit(job.Status)
}

// watchJob asks for a job until it has ended, and shows each answer.
func watchJob(ctx context.Context, api *client, id string, line progressLine) (*bedrock.GetModelCustomizationJobOutput, error) {
	defer line.close()
	tick := time.NewTicker(watchInterval)
	defer tick.Stop()
	answered := time.Now()
	for seen := false; ; {
		job, err := api.getJob(ctx, id)
		switch {
		case err == nil:
			seen, answered = true, time.Now()
			line.show(progressOf(job))
			if ended(job.Status) {
				return job, nil
			}
		case !seen || !unreachable(err) || time.Since(answered) > watchPatience:
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-tick.C:
		}
	}
}

// unreachable reports whether err says that no server was there to answer.
func unreachable(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

func progressOf(j *bedrock.GetModelCustomizationJobOutput) progress {
	var p progress
	if r, ok := awsmiddleware.GetRawResponse(j.ResultMetadata).(*smithyhttp.Response); ok {
		// A server without the header, or with another form of it, still has a status.
		_ = json.Unmarshal([]byte(r.Header.Get(restjson.HeaderProgress)), &p.ProgressView)
	}
	p.phase, p.loss, p.validation = phaseOf(j), trainingLoss(j), validationLoss(j)
	return p
}

// phaseOf says in a word what a job is doing.
func phaseOf(j *bedrock.GetModelCustomizationJobOutput) string {
	d := j.StatusDetails
	if j.Status != "InProgress" || d == nil {
		return string(j.Status)
	}
	switch {
	case d.TrainingDetails != nil && d.TrainingDetails.Status == "InProgress":
		return "Training"
	case d.DataProcessingDetails != nil && d.DataProcessingDetails.Status == "InProgress":
		return "Processing data"
	case d.ValidationDetails != nil && d.ValidationDetails.Status == "InProgress":
		return "Validating"
	}
	return string(j.Status)
}

// measures is the part of a progress line after the step: what is known of it.
func (p progress) measures() string {
	s := ""
	if p.loss != nil {
		s += fmt.Sprintf("  loss %.3f", *p.loss)
	}
	if p.validation != nil {
		s += fmt.Sprintf("  val %.3f", *p.validation)
	}
	if p.TokensPerSecond > 0 {
		s += fmt.Sprintf("  %.0f tok/s", p.TokensPerSecond)
	}
	if p.ETASeconds > 0 {
		s += "  ETA " + (time.Duration(p.ETASeconds) * time.Second).String()
	}
	return s
}

func (p progress) sameNews(q progress) bool {
	return p.phase == q.phase && p.Step == q.Step && aws.ToFloat64(p.validation) == aws.ToFloat64(q.validation)
}

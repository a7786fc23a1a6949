package hub

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"outcrop.dev/outcrop"
)

// statusError is an answer that is not a success.
type statusError struct {
	status  int
	code    string // X-Error-Code, the hub's own classification
	message string // X-Error-Message
	after   time.Duration
}

func (e *statusError) Error() string {
	if e.message != "" {
		return fmt.Sprintf("%d %s (%s)", e.status, http.StatusText(e.status), e.message)
	}
	return fmt.Sprintf("%d %s", e.status, http.StatusText(e.status))
}

// messageMax bounds what of the server's own words is shown.
const messageMax = 300

func newStatusError(status int, h http.Header) *statusError {
	e := &statusError{status: status, code: h.Get("X-Error-Code"), message: h.Get("X-Error-Message")}
	e.message = e.message[:min(len(e.message), messageMax)]
	if s, err := strconv.Atoi(h.Get("Retry-After")); err == nil && s > 0 {
		e.after = time.Duration(min(s, int(waitMax/time.Second))) * time.Second
	}
	return e
}

// temporary reports whether the same request may succeed later: server errors, limits of
// rate, and everything below HTTP, such as a connection that was cut.
func temporary(err error) bool {
	var status *statusError
	var final *finalError
	var ours *outcrop.Error
	var name *net.DNSError
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.Is(err, context.Canceled), errors.As(err, &final), errors.As(err, &ours), errors.As(err, &certificate):
		return false
	case errors.As(err, &name):
		return !name.IsNotFound
	case errors.As(err, &status):
		return status.status >= 500 || status.status == http.StatusTooManyRequests || status.status == http.StatusRequestTimeout
	}
	return true
}

// finalError is an error that no other attempt would mend.
type finalError struct{ error }

func (e *finalError) Unwrap() error { return e.error }

// explain turns an error about a model into what a person can do about it.
func (c *Client) explain(name Name, what string, err error) error {
	var status *statusError
	if !errors.As(err, &status) {
		var ours *outcrop.Error
		if errors.Is(err, context.Canceled) || errors.As(err, &ours) {
			return err
		}
		advice := " What has come is kept: the same command goes on from there."
		if !temporary(err) {
			advice = ""
		}
		return outcrop.Errorf(outcrop.CodeServiceUnavailable, "%s of %s cannot be had from %s: %v.%s", what, name, c.endpoint.Host, err, advice)
	}
	with := func(code outcrop.Code, format string, args ...any) error {
		return &outcrop.Error{Code: code, Msg: fmt.Sprintf(format, args...), Err: err}
	}
	page := c.endpoint.String() + "/" + name.Repo
	switch {
	case status.code == "GatedRepo":
		return with(outcrop.CodeAccessDenied, "%s is gated: its owner must grant access. Accept its terms at %s, and set HF_TOKEN to a token of that account.", name.Repo, page)
	case status.code == "RevisionNotFound":
		return with(outcrop.CodeNotFound, "%s has no revision %q: see %s for its branches and tags.", name.Repo, name.Revision, page)
	case status.code == "EntryNotFound":
		return with(outcrop.CodeNotFound, "%s has no file %s.", name, what)
	case status.status == http.StatusUnauthorized && c.Token == "":
		return with(outcrop.CodeNotFound, "There is no model %s at %s that everyone may see: it is misspelt, or it is private; then set HF_TOKEN.", name.Repo, c.endpoint.Host)
	case status.status == http.StatusForbidden && c.Token == "":
		return with(outcrop.CodeAccessDenied, "%s refuses %s of %s to whoever has no token (%v): set HF_TOKEN, or ask who runs the network, if it lies between.", c.endpoint.Host, what, name.Repo, status)
	case status.status == http.StatusUnauthorized, status.status == http.StatusForbidden:
		return with(outcrop.CodeAccessDenied, "%s refuses %s to the token in HF_TOKEN (%v): it has expired, or may not read this model.", c.endpoint.Host, name.Repo, status)
	case status.status == http.StatusNotFound:
		return with(outcrop.CodeNotFound, "There is no %s at %s.", name, c.endpoint.Host)
	case status.status == http.StatusTooManyRequests:
		return with(outcrop.CodeThrottling, "%s limits the rate of requests: wait some minutes and give the same command again, or set HF_TOKEN for a higher limit.", c.endpoint.Host)
	}
	return with(outcrop.CodeServiceUnavailable, "%s answers %v to a request for %s of %s.", c.endpoint.Host, status, what, name)
}

// The waits between attempts: doubled each time, as long as the server says if it does.
const (
	waitMin = time.Second
	waitMax = time.Minute
	// attemptsMax is how often something is tried that brings nothing new; a transfer that
	// gets further each time goes on for ever.
	attemptsMax = 6
)

// retry calls try until it succeeds, fails for good, or has failed attemptsMax times without
// getting further.
func (c *Client) retry(ctx context.Context, try func() (further bool, err error)) error {
	for attempt := 1; ; attempt++ {
		further, err := try()
		if err == nil || ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		}
		if further {
			attempt = 1
		}
		if !temporary(err) || attempt >= attemptsMax {
			return err
		}
		wait := min(waitMin<<(attempt-1), waitMax)
		var status *statusError
		if errors.As(err, &status) {
			wait = max(wait, status.after)
		}
		if c.Again != nil {
			c.Again(err, wait)
		}
		if err := c.Wait(ctx, wait); err != nil {
			return err
		}
	}
}

package server

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/data/iam"
	"outcrop.dev/outcrop/wire/restjson"
	"outcrop.dev/outcrop/wire/sigv4"
)

// secretOf returns the secret of an access key, for the one principal that there is.
func secretOf(root iam.Key) func(string) (string, bool) {
	return func(id string) (string, bool) {
		return root.SecretAccessKey, id == root.AccessKeyID
	}
}

// authenticate finds a request's endpoint, has it say who makes the request, says that in its
// context, and hands it on.
func (s *Server) authenticate(w http.ResponseWriter, r *http.Request) {
	e := s.endpoints.of(r)
	// Authentication replaces the body, and net/http asks its own request whether to send 100-continue.
	r = r.WithContext(r.Context())
	body := &pacedBody{ReadCloser: r.Body, control: http.NewResponseController(w), start: time.Now(), total: s.bodyTimeout}
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = body
		body.pace()
	}
	caller, err := e.authenticate(r)
	if err != nil {
		e.refuse(w, withoutBody(r, body.control), err)
		return
	}
	body.recognized()
	guestOf(r.Context()).proved(r.ContentLength)
	caller.May = s.may
	e.handler.ServeHTTP(w, r.WithContext(outcrop.WithCaller(r.Context(), caller)))
}

// withoutBody says that nobody waits for the body of a refused request. HTTP/2 ends its stream at
// once. In HTTP/1 a client may read no answer before it has sent all, and has a moment to.
func withoutBody(r *http.Request, control *http.ResponseController) *http.Request {
	if r.ProtoMajor == 2 {
		r.Body = http.NoBody
	}
	_ = control.SetReadDeadline(time.Now().Add(refusedBodyTimeout))
	return r
}

// signed authenticates by the signature of a request, which must be for a service; the verifier
// learns that there is such a service.
func (s *Server) signed(service string) func(*http.Request) (outcrop.Caller, error) {
	s.verifier.Services = append(s.verifier.Services, service)
	return func(r *http.Request) (outcrop.Caller, error) {
		id, err := s.verifier.Verify(r, s.cfg.Clock())
		if err == nil && id.Service != service {
			err = &sigv4.Error{Reason: sigv4.Mismatch, Msg: fmt.Sprintf("The request is signed for the service %s and not for %s.", id.Service, service)}
		}
		// A session token beside the permanent key proves no less than its absence: many people
		// have one left in their environment.
		return outcrop.Caller{
			Account:     s.cfg.Account,
			Region:      cmp.Or(id.Region, DefaultRegion), // Signature Version 2 names none
			AccessKeyID: id.AccessKeyID,
			ARN:         outcrop.ARN("arn:aws:iam::" + s.cfg.Account + ":root"),
		}, err
	}
}

// withoutKeys refuses the API keys that a service has at AWS, and leaves the rest to next.
func withoutKeys(next func(*http.Request) (outcrop.Caller, error)) func(*http.Request) (outcrop.Caller, error) {
	return func(r *http.Request) (outcrop.Caller, error) {
		if bearer(r) {
			return outcrop.Caller{}, outcrop.Errorf(outcrop.CodeAccessDenied,
				"Outcrop does not take Bedrock API keys: unset AWS_BEARER_TOKEN_BEDROCK and use the access key that `outcrop env` prints.")
		}
		return next(r)
	}
}

// refuseJSON answers as Bedrock does.
func refuseJSON(log *slog.Logger) func(http.ResponseWriter, *http.Request, error) {
	return func(w http.ResponseWriter, r *http.Request, err error) {
		restjson.WriteError(r.Context(), log, w, modelled(err, (*sigv4.Error).JSON))
	}
}

// modelled turns a refusal into the error that a service knows it by, under the name that
// the service's protocol has for it.
func modelled(err error, nameOf func(*sigv4.Error) (string, int)) error {
	var refused *sigv4.Error
	if !errors.As(err, &refused) {
		return err
	}
	name, _ := nameOf(refused)
	msg := hint(refused)
	if refused.Reason == sigv4.NotSigned { // which S3 says beside the message
		for _, d := range refused.Details {
			msg += ": " + d.Value
		}
	}
	return &outcrop.Error{Code: outcrop.Code(name), Msg: msg, Err: refused.Err}
}

// hint adds to the texts of package sigv4, which are AWS's, what to do about it here: a wrong
// key is what a new user meets first.
func hint(e *sigv4.Error) string {
	switch e.Reason {
	case sigv4.NoCredentials:
		return e.Msg + " (The request is not signed. The command `outcrop env` prints the key of this server as export lines.)"
	case sigv4.UnknownKey, sigv4.Mismatch:
		return fmt.Sprintf("%s The command `outcrop env` prints the key of this server as export lines.", e.Msg)
	case sigv4.Skewed:
		return e.Msg + " Set the clock of the client or of the server."
	}
	return e.Msg
}

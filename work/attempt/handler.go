package attempt

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"

	"outcrop.dev/outcrop"
)

// Limits of what crosses the wire.
const (
	// bodyBytesMax bounds every JSON body; the largest is a spec with long URIs.
	bodyBytesMax = 256 << 10
	// artefactBytesMax bounds one artefact: S3's own limit on an object that is put whole.
	// Models whose weights are larger come in several files.
	artefactBytesMax = 5 << 30
)

// marker is a header that every answer has: without it, what answers at the address is
// not our server, and the worker waits for one.
const marker = "Outcrop-Attempt"

// runHeader is a header of every answer that tells one run of a server from another, as ServerFile
// does: where a data directory has been copied, the copy's server may have the original's port, and
// knows its tokens.
const runHeader = "Outcrop-Run"

// Jobs is what a Handler asks of the control plane. Every method returns ErrFenced if the
// attempt is no longer its job's.
type Jobs interface {
	// Spec returns what the attempt has to do.
	Spec(ctx context.Context, id ID) (Spec, error)
	// Grant returns which objects the attempt may touch.
	Grant(ctx context.Context, id ID) (Grant, error)
	// Beat notes a heartbeat and returns what to answer it with.
	Beat(ctx context.Context, id ID, h Heartbeat) (Reply, error)
	// Finish makes the result durable; what follows from it may come later.
	Finish(ctx context.Context, id ID, r Result) error
}

// Handler serves the attempt API under Root.
type Handler struct {
	signer  Signer
	jobs    Jobs
	objects outcrop.Objects
	log     *slog.Logger
	run     string
	mux     *http.ServeMux

	artefactMax int64 // artefactBytesMax, less in tests
}

// NewHandler returns a handler that serves attempts of jobs whose data lies in objects. run is what
// ServerFile says, or "".
func NewHandler(signer Signer, jobs Jobs, objects outcrop.Objects, run string, log *slog.Logger) *Handler {
	h := &Handler{signer: signer, jobs: jobs, objects: objects, run: run, log: log, mux: http.NewServeMux(), artefactMax: artefactBytesMax}
	for route, f := range map[string]func(http.ResponseWriter, *http.Request, ID) error{
		"GET " + Root + "spec":       h.spec,
		"POST " + Root + "heartbeat": h.heartbeat,
		"POST " + Root + "result":    h.result,
		"GET " + Root + "object":     h.getObject,
		"PUT " + Root + "object":     h.putObject,
	} {
		h.mux.HandleFunc(route, h.authenticated(f))
	}
	return h
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set(marker, "v1")
	if h.run != "" {
		w.Header().Set(runHeader, h.run)
	}
	h.mux.ServeHTTP(w, r)
}

func (h *Handler) authenticated(f func(http.ResponseWriter, *http.Request, ID) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		token, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		id, ok := h.signer.Check(token)
		if !bearer || !ok {
			http.Error(w, "the token is not one of this server's", http.StatusUnauthorized)
			return
		}
		if err := f(w, r, id); err != nil {
			h.fail(w, r, id, err)
		}
	}
}

// fail answers with an error, once nothing else has been answered.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, id ID, err error) {
	var e *outcrop.Error
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		e = outcrop.Errorf(outcrop.CodeValidation, "The body is larger than %d bytes.", large.Limit)
	case !errors.As(err, &e):
		h.log.Error("attempt API", "path", r.URL.Path, "job", id.Job, "attempt", id.Number, "error", err)
		e = outcrop.Errorf(outcrop.CodeInternal, "The server could not do this; its log says why.")
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status(err, e))
	json.NewEncoder(w).Encode(wireError{Code: e.Code, Reason: outcrop.ReasonOf(e), Message: e.Msg}) // the worker is gone if this fails
}

// wireError is the body of an answer that is not 2xx.
type wireError struct {
	Code    outcrop.Code
	Reason  outcrop.Reason `json:",omitempty"`
	Message string
}

func status(err error, e *outcrop.Error) int {
	if errors.Is(err, ErrFenced) {
		return http.StatusConflict
	}
	switch e.Code {
	case outcrop.CodeValidation:
		return http.StatusBadRequest
	case outcrop.CodeAccessDenied:
		return http.StatusForbidden
	case outcrop.CodeNotFound:
		return http.StatusNotFound
	case outcrop.CodeThrottling:
		return http.StatusTooManyRequests
	case outcrop.CodeInternal:
		return http.StatusInternalServerError
	}
	return http.StatusServiceUnavailable // retried: a conflict of versions, a busy disk
}

func (h *Handler) spec(w http.ResponseWriter, r *http.Request, id ID) error {
	s, err := h.jobs.Spec(r.Context(), id)
	if err != nil {
		return err
	}
	return answer(w, s)
}

func (h *Handler) heartbeat(w http.ResponseWriter, r *http.Request, id ID) error {
	var hb Heartbeat
	if err := readJSON(w, r, &hb); err != nil {
		return err
	}
	if err := hb.check(); err != nil {
		return err
	}
	reply, err := h.jobs.Beat(r.Context(), id, hb)
	if err != nil {
		return err
	}
	return answer(w, reply)
}

func (h *Handler) result(w http.ResponseWriter, r *http.Request, id ID) error {
	var res Result
	if err := readJSON(w, r, &res); err != nil {
		return err
	}
	if res.Attempt != id.Number {
		return outcrop.Errorf(outcrop.CodeValidation, "The result is attempt %d's, the token attempt %d's.", res.Attempt, id.Number)
	}
	if err := h.jobs.Finish(r.Context(), id, res); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (h *Handler) getObject(w http.ResponseWriter, r *http.Request, id ID) error {
	grant, bucket, key, err := h.allow(r, id, (*Grant).Reads)
	if err != nil {
		return err
	}
	if in, ok := grant.Accepted(r.URL.Query().Get("uri")); ok {
		bucket, key = outcrop.SystemBucket, outcrop.BlobKey(in.SHA256)
	}
	body, info, err := h.objects.Get(r.Context(), bucket, key)
	if err != nil {
		return err
	}
	defer body.Close()
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", itoa(info.Size))
	if _, err := io.Copy(w, body); err != nil {
		h.log.Warn("attempt API: an object was cut short", "bucket", bucket, "key", key, "error", err)
		panic(http.ErrAbortHandler) // ends the connection: the worker must not take it for the whole
	}
	return nil
}

func (h *Handler) putObject(w http.ResponseWriter, r *http.Request, id ID) error {
	_, bucket, key, err := h.allow(r, id, (*Grant).Writes)
	if err != nil {
		return err
	}
	if r.ContentLength > h.artefactMax {
		return &http.MaxBytesError{Limit: h.artefactMax}
	}
	body := http.MaxBytesReader(w, r.Body, h.artefactMax)
	_, err = h.objects.Put(r.Context(), bucket, key, r.Header.Get("Content-Type"), body)
	if outcrop.CodeOf(err) == outcrop.CodeNotFound {
		return cannotPut(bucket, key, err)
	}
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// cannotPut says that an artefact's bucket is gone, beginning with AWS's words for that
// (Amazon Bedrock User Guide, "Troubleshoot issues with model customization").
func cannotPut(bucket, key string, err error) error {
	e := outcrop.Errorf(outcrop.CodeNotFound, "Amazon S3 perms missing (PutObject): Could not validate PutObject permissions to access S3 bucket: %s at key %s. "+
		"Create the bucket of outputDataConfig.s3Uri again, or name another one, and create a new job.", bucket, key)
	e.Reason, e.Err = outcrop.ReasonNoOutput, err
	return e
}

// allow returns the object that the request names, if the attempt may touch it.
func (h *Handler) allow(r *http.Request, id ID, may func(*Grant, string) bool) (grant Grant, bucket, key string, err error) {
	uri := r.URL.Query().Get("uri")
	if grant, err = h.jobs.Grant(r.Context(), id); err != nil {
		return grant, "", "", err
	}
	if !may(&grant, uri) {
		return grant, "", "", outcrop.Errorf(outcrop.CodeAccessDenied, "The attempt has no access to %q: it is neither an input of its job nor below its output prefix.", uri)
	}
	bucket, key, err = outcrop.ParseS3URI(uri)
	if err == nil && key == "" {
		err = outcrop.Errorf(outcrop.CodeValidation, "%q names a bucket, not an object.", uri)
	}
	return grant, bucket, key, err
}

func readJSON(w http.ResponseWriter, r *http.Request, v any) error {
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, bodyBytesMax))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return outcrop.Errorf(outcrop.CodeValidation, "The body is not valid: %v.", err)
	}
	return nil
}

func answer(w http.ResponseWriter, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(b) // the worker is gone if this fails
	return nil
}

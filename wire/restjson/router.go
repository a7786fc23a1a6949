package restjson

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"path"
	"runtime/debug"
	"slices"
	"strings"

	"outcrop.dev/outcrop"
)

// RequestIDHeader is where boto3 and the other SDKs look for the request's id.
const RequestIDHeader = "X-Amzn-Requestid"

// pathSegmentsMax bounds the segments of a path whose ARN we put together: the longest path
// of the API has seven, and an ARN as people write it adds two slashes.
const pathSegmentsMax = 16

// Router finds the operation of a request by its method and its path as sent, where an ARN
// is one percent-encoded segment. It also takes an ARN with raw slashes, which AWS refuses
// and people write. Every answer carries x-amzn-requestid.
//
// A Router is an http.Handler; register operations with Handle before serving.
type Router struct {
	mux   *http.ServeMux
	ops   map[string]Operation // by pattern
	newID func() string
	log   *slog.Logger
	paths *strings.Replacer // makes what callers are told of paths relative; nil: as they are
}

// Hide has callers be told of paths below dir without it: where a server keeps its files is not
// theirs to know. That is in the messages of errors, and in what operations of the method GET answer.
func (r *Router) Hide(dir string) {
	quoted, _ := json.Marshal(dir) // strings always marshal
	escaped := strings.Trim(string(quoted), `"`)
	r.paths = strings.NewReplacer(dir+"/", "", escaped+"/", "", dir, "the data directory", escaped, "the data directory")
}

// told is err as its caller is told of it; the log has the rest.
func (r *Router) told(log *slog.Logger, err error) error {
	var e *outcrop.Error
	if r.paths == nil || !errors.As(err, &e) {
		return err
	}
	msg := r.paths.Replace(e.Msg)
	if msg == e.Msg {
		return err
	}
	log.Warn("the caller was told this without the directory", "message", e.Msg)
	return &outcrop.Error{Code: e.Code, Op: e.Op, Msg: msg, Err: err}
}

// NewRouter returns a Router without operations. newID makes request ids: it is asked for
// one where no earlier handler has set x-amzn-requestid on the answer.
func NewRouter(newID func() string, log *slog.Logger) *Router {
	return &Router{mux: http.NewServeMux(), ops: map[string]Operation{}, newID: newID, log: log}
}

// ServeHTTP answers one request.
func (r *Router) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	id := w.Header().Get(RequestIDHeader)
	if id == "" {
		id = r.newID()
		w.Header().Set(RequestIDHeader, id)
	}
	ctx := context.WithValue(req.Context(), requestIDKey{}, id)
	req = req.WithContext(context.WithValue(ctx, headerKey{}, w.Header()))
	routed, ok := r.route(req)
	if !ok {
		WriteError(req.Context(), r.log, w, outcrop.Errorf(outcrop.CodeUnknownOperation,
			"There is no operation %s %s in the APIs that Outcrop serves.", req.Method, shorten(req.URL.EscapedPath())))
		return
	}
	r.mux.ServeHTTP(w, routed)
}

// Operation returns the name of the operation that a request asks for; "" if there is none.
func (r *Router) Operation(req *http.Request) string {
	routed, ok := r.route(req)
	if !ok {
		return ""
	}
	_, pattern := r.mux.Handler(routed)
	return r.ops[pattern].Name
}

// Operations returns all operations, by name.
func (r *Router) Operations() []Operation {
	return slices.SortedFunc(maps.Values(r.ops), func(a, b Operation) int { return strings.Compare(a.Name, b.Name) })
}

type headerKey struct{}

// Header returns the header of the answer to the request that ctx belongs to: an operation
// may say there what the service model has no member for. Outside of a request it goes
// nowhere.
func Header(ctx context.Context) http.Header {
	if h, ok := ctx.Value(headerKey{}).(http.Header); ok {
		return h
	}
	return http.Header{}
}

type requestIDKey struct{}

// RequestID returns the id of the request that ctx belongs to; "" outside of one.
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

// route returns the request to hand to the mux: req itself, or a copy in whose path the
// pieces of a raw ARN are one segment.
func (r *Router) route(req *http.Request) (*http.Request, bool) {
	escaped := req.URL.EscapedPath()
	if path.Clean(escaped) != escaped {
		return nil, false // the mux would redirect, which no SDK follows with its body
	}
	if r.matches(req) {
		return req, true
	}
	return r.joinARN(req, strings.Split(escaped, "/"))
}

func (r *Router) matches(req *http.Request) bool {
	_, pattern := r.mux.Handler(req)
	return pattern != ""
}

// joinARN tries ever longer runs of segments after the one that begins an ARN. The shortest
// run that gives a route is right: what follows it is the route's own.
func (r *Router) joinARN(req *http.Request, segments []string) (*http.Request, bool) {
	if len(segments) > pathSegmentsMax {
		return nil, false
	}
	for i, s := range segments {
		if !beginsARN(s) {
			continue
		}
		for end := i + 2; end <= len(segments); end++ {
			joined := append(segments[:i:i], strings.Join(segments[i:end], "%2F"))
			candidate, ok := withPath(req, strings.Join(append(joined, segments[end:]...), "/"))
			if ok && r.matches(candidate) {
				return candidate, true
			}
		}
	}
	return nil, false
}

func beginsARN(segment string) bool {
	s := strings.ToLower(segment)
	return strings.HasPrefix(s, "arn:") || strings.HasPrefix(s, "arn%3a")
}

// withPath returns a copy of req whose escaped path is escaped.
func withPath(req *http.Request, escaped string) (*http.Request, bool) {
	plain, err := url.PathUnescape(escaped)
	if err != nil {
		return nil, false
	}
	u := *req.URL
	u.Path, u.RawPath = plain, escaped
	c := *req
	c.URL = &u
	return &c, true
}

// handle routes an operation to f, whose error it answers.
func (r *Router) handle(op Operation, f func(http.ResponseWriter, *http.Request) error) {
	pattern := op.Method + " " + op.Path
	r.ops[pattern] = op
	r.mux.HandleFunc(pattern, func(w http.ResponseWriter, req *http.Request) {
		tw := &trackingWriter{ResponseWriter: w}
		if err := recovered(func() error { return f(tw, req) }); err != nil {
			r.fail(tw, req, op, err)
		}
	})
}

// fail answers err, or logs it if the answer has begun.
func (r *Router) fail(w *trackingWriter, req *http.Request, op Operation, err error) {
	log := r.log.With("operation", op.Name)
	if w.begun {
		logInternal(req.Context(), log, RequestID(req.Context()), fmt.Errorf("after the answer had begun: %w", err))
		return
	}
	WriteError(req.Context(), log, w, r.told(log, err))
}

// recovered returns f's error, or its panic as one. http.ErrAbortHandler goes through: it is
// how a handler cuts a connection.
func recovered(f func() error) (err error) {
	defer func() {
		switch p := recover(); p {
		case nil:
		case http.ErrAbortHandler:
			panic(p)
		default:
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return f()
}

// trackingWriter remembers whether an answer has begun.
type trackingWriter struct {
	http.ResponseWriter
	begun bool
}

func (w *trackingWriter) WriteHeader(status int) {
	w.begun = true
	w.ResponseWriter.WriteHeader(status)
}

func (w *trackingWriter) Write(p []byte) (int, error) {
	w.begun = true
	return w.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController flush.
func (w *trackingWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Flush sends what is written so far, as event streams do after every event.
func (w *trackingWriter) Flush() { _ = http.NewResponseController(w.ResponseWriter).Flush() }

package server

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/wire/restjson"
	"outcrop.dev/outcrop/wire/restxml"
	"outcrop.dev/outcrop/work/attempt"
)

// Paths that are not AWS's. No bucket is called _outcrop: names have no underscore.
const (
	pathHealth  = "/healthz"
	pathReady   = "/readyz"
	pathMetrics = "/metrics"
)

// metricsRealm asks for the key in the one form that Prometheus can send it.
const metricsRealm = `Basic realm="Outcrop: the access key id and the secret access key"`

// handler is everything that a request passes, outermost first.
func (s *Server) handler() http.Handler {
	return through(http.HandlerFunc(s.authenticate), // checks the signature, finds the service
		cutStalled(patience{stallTimeout, smallAnswerTimeout}), // a client that takes nothing of its answer is let go
		s.host,        // who has proved nothing has a place, and not for long
		s.identify,    // a request id on every answer
		s.logAccess,   // one line for each request
		s.recoverLast, // a panic is our bug: logged, answered, the server lives
		s.checkHost,   // a request for another server is refused
		s.operate,     // health, metrics, workers: no AWS signature
	)
}

// through wraps h in the layers, the first outermost.
func through(h http.Handler, layers ...func(http.Handler) http.Handler) http.Handler {
	for i := len(layers) - 1; i >= 0; i-- {
		h = layers[i](h)
	}
	return h
}

func (s *Server) identify(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := newRequestID()
		w.Header().Set(restjson.RequestIDHeader, id)
		w.Header().Set(restxml.RequestIDHeader, id)
		w.Header().Set("Server", "Outcrop")
		next.ServeHTTP(w, r)
	})
}

func (s *Server) logAccess(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := s.cfg.Clock()
		sw := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(sw, r)
		s.cfg.Log.LogAttrs(r.Context(), accessLevel(sw.status), "request",
			slog.String("method", r.Method), slog.String("path", r.URL.EscapedPath()),
			slog.Int("status", sw.status), slog.Duration("took", s.cfg.Clock().Sub(start).Round(time.Microsecond)),
			slog.String("requestID", w.Header().Get(restjson.RequestIDHeader)))
	})
}

// accessLevel keeps the log of a healthy server quiet. That it is stopping, or its disk full, is told
// once, and not for each request.
func accessLevel(status int) slog.Level {
	switch status {
	case http.StatusNotImplemented, http.StatusServiceUnavailable, http.StatusInsufficientStorage:
		return slog.LevelDebug
	}
	if status >= http.StatusInternalServerError {
		return slog.LevelError
	}
	return slog.LevelDebug
}

// statusWriter remembers the status for the log. http.ResponseController finds what it wraps.
type statusWriter struct {
	http.ResponseWriter
	status  int
	written bool
}

func (w *statusWriter) WriteHeader(status int) {
	if !w.written && status >= http.StatusOK { // 1xx may come before
		w.status, w.written = status, true
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *statusWriter) Flush() { _ = http.NewResponseController(w.ResponseWriter).Flush() }

func (s *Server) recoverLast(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			switch p := recover(); p {
			case nil:
			case http.ErrAbortHandler:
				panic(p) // how a handler says that the connection is to be cut
			default:
				restjson.WriteError(r.Context(), s.cfg.Log, w, fmt.Errorf("panic: %v\n%s", p, debug.Stack()))
			}
		}()
		next.ServeHTTP(w, r)
	})
}

// operate serves what operators and workers ask. A signed request for /metrics is for a
// bucket of that name.
func (s *Server) operate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, attempt.Root) {
			if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
				if _, ok := s.rooms.signer.Check(token); ok {
					guestOf(r.Context()).proved(0)
				}
			}
			s.attempts.ServeHTTP(w, r)
			return
		}
		if signedFor(r) != "" || (r.Method != http.MethodGet && r.Method != http.MethodHead) {
			next.ServeHTTP(w, r)
			return
		}
		switch r.URL.Path {
		case pathHealth:
			plain(w, http.StatusOK, "ok")
		case pathReady:
			s.ready(w, r)
		case pathMetrics:
			s.measure(w, r)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// measure shows the metrics to who has the key: they name models and accounts.
func (s *Server) measure(w http.ResponseWriter, r *http.Request) {
	id, secret, _ := r.BasicAuth()
	if subtle.ConstantTimeCompare([]byte(id+" "+secret), []byte(s.root.AccessKeyID+" "+s.root.SecretAccessKey)) != 1 {
		w.Header().Set("WWW-Authenticate", metricsRealm)
		plain(w, http.StatusUnauthorized, "metrics are shown to who has the key (basic authentication), or on an address of their own (outcrop serve --metrics)")
		return
	}
	s.metrics.ServeHTTP(w, r)
}

// ready answers whether requests can be served, and why not: the server is stopping, its database does
// not answer or cannot be written to, its disk is full.
func (s *Server) ready(w http.ResponseWriter, r *http.Request) {
	if s.stopping.Load() {
		plain(w, http.StatusServiceUnavailable, "the server is stopping")
		return
	}
	if _, _, err := s.rooms.store.List(r.Context(), outcrop.Query{Kind: outcrop.KindThroughput, AllScopes: true, Limit: 1}); err != nil {
		s.cfg.Log.Error("not ready", "err", err)
		plain(w, http.StatusServiceUnavailable, "the database does not answer")
		return
	}
	for _, check := range []func() error{
		s.room.Full, s.objectRoom.Full, func() error { return s.rooms.rows.CheckWritable(r.Context()) },
	} {
		if err := check(); err != nil {
			s.cfg.Log.Error("not ready", "err", err)
			plain(w, http.StatusServiceUnavailable, inWords(err))
			return
		}
	}
	plain(w, http.StatusOK, "ready")
}

// inWords is what of an error is for people.
func inWords(err error) string {
	if told, ok := errors.AsType[*outcrop.Error](err); ok {
		return told.Msg
	}
	return err.Error()
}

func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Content-Length", fmt.Sprint(len(text)+1))
	w.WriteHeader(status)
	_, _ = fmt.Fprintln(w, text) // the caller has gone; there is nobody to tell
}

package meter

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Instrument counts and times the requests that h answers for a service. now is the clock.
func (m *metrics) Instrument(service string, now func() time.Time, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begin := now()
		rec := &recorder{ResponseWriter: w}
		invocation := isInvocation(service, r)
		defer func() { // a handler that panics has answered, or cut its answer short
			m.requests.WithLabelValues(service, strconv.Itoa(rec.code())).Inc()
			m.durations.WithLabelValues(service).Observe(now().Sub(begin).Seconds())
			if name := failure(rec.code()); invocation && name != "" {
				m.failures[name].Inc()
			}
		}()
		h.ServeHTTP(rec, r)
	})
}

// isInvocation reports whether a request is one of Bedrock Runtime's: they begin with /model/.
func isInvocation(service string, r *http.Request) bool {
	return service == "bedrock" && strings.HasPrefix(r.URL.Path, "/model/")
}

// failure names the counter of a status; "" for success.
func failure(code int) string {
	switch {
	case code == http.StatusTooManyRequests:
		return throttles
	case code >= 500:
		return serverErrors
	case code >= 400:
		return clientErrors
	}
	return ""
}

// recorder remembers the status of an answer.
type recorder struct {
	http.ResponseWriter
	status int
}

// code is the status that the client has got, or will get.
func (r *recorder) code() int {
	if r.status == 0 {
		return http.StatusOK
	}
	return r.status
}

// WriteHeader implements http.ResponseWriter.
func (r *recorder) WriteHeader(status int) {
	if r.status == 0 && status >= http.StatusOK { // 1xx are not the answer
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController flush.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// Package sts is the part of AWS's Security Token Service that clients use to see who they
// are: GetCallerIdentity. There are no roles to assume on one's own machine.
//
// STS speaks the Query protocol: a form with Action and Version, by POST or GET, answered in
// XML.
package sts

import (
	"cmp"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"outcrop.dev/outcrop"
)

// FormBytesMax bounds a request's form. AWS's longest, a session policy, has 2,048 characters.
const FormBytesMax = 64 << 10

// version is the only version of the API there is.
const version = "2011-06-15"

// namespace is the XML namespace of its answers.
const namespace = "https://sts.amazonaws.com/doc/" + version + "/"

// headerRequestID is where an earlier handler may have put the request's id.
const headerRequestID = "X-Amzn-Requestid"

// Service serves the API. It is an http.Handler and safe for concurrent use.
type Service struct {
	newID func() string
	log   *slog.Logger
}

// New returns a Service. newID makes the ids of the requests that have none yet.
func New(newID func() string, log *slog.Logger) *Service { return &Service{newID: newID, log: log} }

// operations by their action.
var operations = map[string]func(outcrop.Caller) any{"GetCallerIdentity": getCallerIdentity}

// ServeHTTP answers one request.
func (s *Service) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if w.Header().Get(headerRequestID) == "" {
		w.Header().Set(headerRequestID, s.newID())
	}
	form, err := readForm(req)
	if err != nil {
		s.WriteError(w, err)
		return
	}
	result, err := dispatch(req, form)
	if err != nil {
		s.WriteError(w, err)
		return
	}
	s.write(w, http.StatusOK, answer(form.Get("Action"), result, w.Header().Get(headerRequestID)))
}

// dispatch finds and calls the operation that a form names.
func dispatch(req *http.Request, form url.Values) (any, error) {
	action, v := form.Get("Action"), form.Get("Version")
	if action == "" {
		return nil, outcrop.Errorf("MissingAction", "The request has no Action. Outcrop's STS answers GetCallerIdentity.")
	}
	operation, ok := operations[action]
	if !ok || v != "" && v != version {
		return nil, outcrop.Errorf("InvalidAction", "Could not find operation %s for version %s. Outcrop's STS answers GetCallerIdentity of version %s.", shorten(action), shorten(cmp.Or(v, version)), version)
	}
	caller, err := outcrop.CallerOf(req.Context())
	if err != nil {
		return nil, err
	}
	// AWS answers GetCallerIdentity even to those whom a policy denies it; that is for whoever
	// decides.
	if err := outcrop.Authorize(req.Context(), "sts:"+action, outcrop.Anything); err != nil {
		return nil, err
	}
	return operation(caller), nil
}

// shorten cuts what a message quotes.
func shorten(s string) string {
	const most = 100
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "..."
}

// readForm reads the parameters of a request: of the query string, and of a POST's body.
func readForm(req *http.Request) (url.Values, error) {
	malformed := func(err error) error {
		return &outcrop.Error{Code: "MalformedInput", Msg: "The request is not a form with Action and Version.", Err: err}
	}
	form, err := url.ParseQuery(req.URL.RawQuery)
	if err != nil {
		return nil, malformed(err)
	}
	if req.Method != http.MethodPost {
		return form, nil
	}
	data, err := io.ReadAll(io.LimitReader(req.Body, FormBytesMax+1))
	if err != nil {
		return nil, malformed(err)
	}
	if len(data) > FormBytesMax {
		return nil, outcrop.Errorf("MalformedInput", "The request has more than %d bytes.", FormBytesMax)
	}
	body, err := url.ParseQuery(string(data))
	if err != nil {
		return nil, malformed(err)
	}
	for name, values := range body {
		form[name] = values
	}
	return form, nil
}

// response is the envelope of a success: <ActionResponse><ActionResult>…
type response struct {
	XMLName   xml.Name
	Result    any
	RequestID string `xml:"ResponseMetadata>RequestId"`
}

func answer(action string, result any, id string) any {
	return response{XMLName: xml.Name{Space: namespace, Local: action + "Response"}, Result: result, RequestID: id}
}

// errorResponse is the envelope of an error.
type errorResponse struct {
	XMLName   xml.Name `xml:"ErrorResponse"`
	Namespace string   `xml:"xmlns,attr"`
	Type      string   `xml:"Error>Type"`
	Code      string   `xml:"Error>Code"`
	Message   string   `xml:"Error>Message"`
	RequestID string   `xml:"RequestId"`
}

// forbidden are the errors that say who may not call, which have status 403; all others that
// a caller can make have 400.
var forbidden = []outcrop.Code{"AccessDenied", "InvalidClientTokenId", "SignatureDoesNotMatch", "ExpiredToken", "MissingAuthenticationToken"}

// WriteError answers a request with err: one of its own, or one that was found before the
// request got here, such as a wrong signature.
func (s *Service) WriteError(w http.ResponseWriter, err error) {
	var e *outcrop.Error
	if !errors.As(err, &e) {
		s.log.Error("internal error of STS", "requestID", w.Header().Get(headerRequestID), "err", err)
		e = &outcrop.Error{Code: "InternalFailure", Msg: "An internal error occurred; the server's log tells more under the request id."}
	}
	code, status, kind := e.Code, http.StatusBadRequest, "Sender"
	if code == outcrop.CodeAccessDenied {
		code = "AccessDenied" // as the Query protocol spells it
	}
	switch {
	case code == "InternalFailure":
		status, kind = http.StatusInternalServerError, "Receiver"
	case slices.Contains(forbidden, code):
		status = http.StatusForbidden
	}
	s.write(w, status, errorResponse{Namespace: namespace, Type: kind, Code: string(code), Message: e.Msg, RequestID: w.Header().Get(headerRequestID)})
}

func (s *Service) write(w http.ResponseWriter, status int, v any) {
	data, err := xml.Marshal(v)
	if err != nil {
		s.log.Error("encode an answer of STS", "requestID", w.Header().Get(headerRequestID), "err", err)
		status, data = http.StatusInternalServerError, nil
	}
	w.Header().Set("Content-Type", "text/xml")
	w.Header().Set("Content-Length", fmt.Sprint(len(data)))
	w.WriteHeader(status)
	_, _ = w.Write(data) // the caller has gone; there is nobody to tell
}

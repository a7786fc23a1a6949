package sigv4

import (
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Reason classifies a refusal.
type Reason int

// The reasons for which a request is refused.
const (
	NoCredentials        Reason = iota + 1 // anonymous
	BadArgument                            // one header is nonsense
	UnsupportedMechanism                   // a signature of another kind
	MalformedHeader                        // the Authorization header does not parse or its scope is wrong
	MalformedQuery                         // the same, of a presigned URL
	NoDate                                 // neither x-amz-date nor Date
	Skewed                                 // the date is too far from ours
	Expired                                // a presigned URL is too old
	NotYetValid                            // a presigned URL is from the future
	UnknownKey                             // no such access key
	Mismatch                               // the signature is not ours
	NotSigned                              // a header that must be signed is not
	NoPayloadHash                          // S3 without x-amz-content-sha256
	PayloadMismatch                        // the body is not what was signed
	BodyTooLarge                           // more than BufferedMax bytes
	NoDecodedLength                        // aws-chunked without x-amz-decoded-content-length
	Incomplete                             // the body ended early, or its length is not the one announced
	BadChunk                               // a chunk is smaller than allowed
	BadTrailer                             // the trailer does not parse
	Busy                                   // Verifier.Reserve has no memory for the body
)

// Detail is a named value that S3 puts beside an error's message.
type Detail struct{ Name, Value string }

// Error is a refusal. Msg is AWS's own text where it has one.
type Error struct {
	Reason  Reason
	Msg     string
	Details []Detail // for S3's error document
	Err     error    // what reading or reserving gave, for Incomplete and Busy; may be nil
}

// Error returns the message.
func (e *Error) Error() string { return e.Msg }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

type code struct {
	name   string
	status int
}

var s3Codes = map[Reason]code{
	NoCredentials:        {"AccessDenied", http.StatusForbidden},
	BadArgument:          {"InvalidArgument", http.StatusBadRequest},
	UnsupportedMechanism: {"InvalidRequest", http.StatusBadRequest},
	MalformedHeader:      {"AuthorizationHeaderMalformed", http.StatusBadRequest},
	MalformedQuery:       {"AuthorizationQueryParametersError", http.StatusBadRequest},
	NoDate:               {"AccessDenied", http.StatusForbidden},
	Skewed:               {"RequestTimeTooSkewed", http.StatusForbidden},
	Expired:              {"AccessDenied", http.StatusForbidden},
	NotYetValid:          {"AccessDenied", http.StatusForbidden},
	UnknownKey:           {"InvalidAccessKeyId", http.StatusForbidden},
	Mismatch:             {"SignatureDoesNotMatch", http.StatusForbidden},
	NotSigned:            {"AccessDenied", http.StatusForbidden},
	NoPayloadHash:        {"InvalidRequest", http.StatusBadRequest},
	PayloadMismatch:      {"XAmzContentSHA256Mismatch", http.StatusBadRequest},
	BodyTooLarge:         {"MaxMessageLengthExceeded", http.StatusBadRequest},
	NoDecodedLength:      {"MissingContentLength", http.StatusLengthRequired},
	Incomplete:           {"IncompleteBody", http.StatusBadRequest},
	BadChunk:             {"InvalidChunkSizeError", http.StatusBadRequest},
	BadTrailer:           {"MalformedTrailerError", http.StatusBadRequest},
	Busy:                 {"SlowDown", http.StatusServiceUnavailable},
}

// jsonCodes are the common errors of the JSON services. What Bedrock itself calls a bad
// signature is not documented; these are the names that the other JSON services use.
var jsonCodes = map[Reason]code{
	NoCredentials:        {"MissingAuthenticationTokenException", http.StatusForbidden},
	BadArgument:          {"IncompleteSignatureException", http.StatusBadRequest},
	UnsupportedMechanism: {"IncompleteSignatureException", http.StatusBadRequest},
	MalformedHeader:      {"IncompleteSignatureException", http.StatusBadRequest},
	MalformedQuery:       {"IncompleteSignatureException", http.StatusBadRequest},
	NoDate:               {"IncompleteSignatureException", http.StatusBadRequest},
	UnknownKey:           {"UnrecognizedClientException", http.StatusForbidden},
	BodyTooLarge:         {"RequestEntityTooLargeException", http.StatusRequestEntityTooLarge},
	Incomplete:           {"ValidationException", http.StatusBadRequest},
	Busy:                 {"ThrottlingException", http.StatusTooManyRequests},
}

// queryCodes are those of the Query services, of which STS is one ("Common errors" in its
// API reference).
var queryCodes = map[Reason]code{
	NoCredentials:        {"MissingAuthenticationToken", http.StatusForbidden},
	BadArgument:          {"IncompleteSignature", http.StatusBadRequest},
	UnsupportedMechanism: {"IncompleteSignature", http.StatusBadRequest},
	MalformedHeader:      {"IncompleteSignature", http.StatusBadRequest},
	MalformedQuery:       {"IncompleteSignature", http.StatusBadRequest},
	NoDate:               {"IncompleteSignature", http.StatusBadRequest},
	UnknownKey:           {"InvalidClientTokenId", http.StatusForbidden},
	BodyTooLarge:         {"MalformedInput", http.StatusBadRequest},
	Incomplete:           {"MalformedInput", http.StatusBadRequest},
	Busy:                 {"Throttling", http.StatusBadRequest},
}

// S3 returns the error code and the HTTP status with which S3 says this.
func (e *Error) S3() (name string, status int) {
	c, ok := s3Codes[e.Reason]
	if !ok {
		return "AccessDenied", http.StatusForbidden
	}
	return c.name, c.status
}

// JSON returns the exception name and the HTTP status with which Bedrock and the other
// JSON services say this. Everything that is neither a missing nor an unreadable signature
// is an InvalidSignatureException.
func (e *Error) JSON() (name string, status int) {
	c, ok := jsonCodes[e.Reason]
	if !ok {
		return "InvalidSignatureException", http.StatusForbidden
	}
	return c.name, c.status
}

// Query returns the code and the HTTP status with which STS and the other Query services say
// this.
func (e *Error) Query() (name string, status int) {
	c, ok := queryCodes[e.Reason]
	if !ok {
		return "SignatureDoesNotMatch", http.StatusForbidden
	}
	return c.name, c.status
}

// S3Details returns what S3 shows beside the message, as name and value.
func (e *Error) S3Details() [][2]string {
	var d [][2]string
	for _, x := range e.Details {
		d = append(d, [2]string{x.Name, x.Value})
	}
	return d
}

// form is where a signature stands: S3's errors differ.
type form int

const (
	headerForm form = iota
	queryForm
)

func malformed(f form, format string, args ...any) *Error {
	msg := fmt.Sprintf(format, args...)
	if f == headerForm {
		return &Error{Reason: MalformedHeader, Msg: "The authorization header is malformed; " + msg}
	}
	for _, p := range []string{"incorrect ", "the region "} {
		if strings.HasPrefix(msg, p) {
			msg = "Error parsing the X-Amz-Credential parameter; " + msg
		}
	}
	return &Error{Reason: MalformedQuery, Msg: msg}
}

func errOneMechanism(value string) *Error {
	return &Error{Reason: BadArgument, Msg: "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, " +
		"Signature query string parameter or the Authorization header should be specified",
		Details: []Detail{{"ArgumentName", "Authorization"}, {"ArgumentValue", value}}}
}

func errSkewed(date, now time.Time) *Error {
	return &Error{Reason: Skewed, Msg: "The difference between the request time and the current time is too large.",
		Details: []Detail{
			{"RequestTime", date.Format(timeFormat)},
			{"ServerTime", now.UTC().Format(time.RFC3339)},
			{"MaxAllowedSkewMilliseconds", fmt.Sprint(SkewMax.Milliseconds())},
		}}
}

func errExpired(expires int, end, now time.Time) *Error {
	d := []Detail{{"Expires", end.UTC().Format(time.RFC3339)}, {"ServerTime", now.UTC().Format(time.RFC3339)}}
	if expires > 0 {
		d = append([]Detail{{"X-Amz-Expires", fmt.Sprint(expires)}}, d...)
	}
	return &Error{Reason: Expired, Msg: "Request has expired.", Details: d}
}

func errUnknownKey(id string) *Error {
	return &Error{Reason: UnknownKey, Msg: "The AWS Access Key Id you provided does not exist in our records.",
		Details: []Detail{{"AWSAccessKeyId", id}}}
}

func errNotSigned(names []string) *Error {
	return &Error{Reason: NotSigned, Msg: "There were headers present in the request which were not signed",
		Details: []Detail{{"HeadersNotSigned", strings.Join(names, ", ")}}}
}

// errMismatch shows what we signed, as AWS does: it holds nothing that the client lacks.
func errMismatch(s signed, toSign, canonical string) *Error {
	return &Error{Reason: Mismatch,
		Msg: "The request signature we calculated does not match the signature you provided. Check your key and signing method.",
		Details: []Detail{
			{"AWSAccessKeyId", s.accessKeyID},
			{"StringToSign", toSign},
			{"SignatureProvided", s.signature},
			{"StringToSignBytes", spacedHex(toSign)},
			{"CanonicalRequest", canonical},
			{"CanonicalRequestBytes", spacedHex(canonical)},
		}}
}

func errPayloadMismatch(client, ours string) *Error {
	return &Error{Reason: PayloadMismatch, Msg: "The provided 'x-amz-content-sha256' header does not match what was computed.",
		Details: []Detail{{"ClientComputedContentSHA256", client}, {"S3ComputedContentSHA256", ours}}}
}

func errBodyTooLarge() *Error {
	return &Error{Reason: BodyTooLarge, Msg: fmt.Sprintf("The request body is larger than %d bytes.", BufferedMax)}
}

func errNotWhole(value string) *Error {
	return &Error{Reason: BadArgument, Msg: "x-amz-content-sha256 must be the SHA-256 of the body: only S3 takes " + value + ".",
		Details: []Detail{{"ArgumentName", "x-amz-content-sha256"}, {"ArgumentValue", value}}}
}

func errIncomplete() *Error {
	return &Error{Reason: Incomplete, Msg: "The request body terminated unexpectedly"}
}

func errWrongLength() *Error {
	return &Error{Reason: Incomplete, Msg: "You did not provide the number of bytes specified by the Content-Length HTTP header"}
}

func errBadTrailer() *Error {
	return &Error{Reason: BadTrailer,
		Msg: "The request contained trailing data that was not well-formed or did not conform to our published schema."}
}

func spacedHex(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(hex.EncodeToString([]byte{s[i]}))
	}
	return b.String()
}

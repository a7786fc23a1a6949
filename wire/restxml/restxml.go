// Package restxml is the protocol of S3: XML bodies both ways, and errors as XML documents.
//
// It knows no operation. A handler returns an *Error, or writes an answer:
//
//	restxml.Write(w, http.StatusOK, listBucketResult{…})
//	restxml.WriteError(w, r, &restxml.Error{Code: "NoSuchKey", Status: 404, Message: …})
package restxml

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"strconv"
	"unicode/utf8"
)

// Namespace is the XML namespace of S3's documents.
const Namespace = "http://s3.amazonaws.com/doc/2006-03-01/"

// Error is an error as S3 shows it.
type Error struct {
	Code    string
	Status  int
	Message string
	// Extra are elements beside the message, as name and value, such as BucketName.
	Extra [][2]string
}

// Error returns the code and the message.
func (e *Error) Error() string { return e.Code + ": " + e.Message }

// Write answers with v as an XML document.
func Write(w http.ResponseWriter, status int, v any) error {
	body, err := Encode(v)
	if err != nil {
		return err
	}
	send(w, status, body)
	return nil
}

// Encode returns v as an XML document.
func Encode(v any) ([]byte, error) {
	body, err := xml.Marshal(v)
	return append([]byte(xml.Header), body...), err
}

func send(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/xml")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client has gone; there is nobody to tell
}

// Headers that carry the ids of a request. Whoever knows them sets them before.
const (
	RequestIDHeader = "X-Amz-Request-Id"
	HostIDHeader    = "X-Amz-Id-2"
)

// WriteError answers with e; the resource is the path that was asked for. The answer to HEAD
// and to 304 has no body.
func WriteError(w http.ResponseWriter, r *http.Request, e *Error) {
	if r.Method == http.MethodHead || e.Status == http.StatusNotModified {
		w.WriteHeader(e.Status)
		return
	}
	var b bytes.Buffer
	b.WriteString(xml.Header + "<Error>")
	element(&b, "Code", e.Code)
	element(&b, "Message", e.Message)
	for _, x := range e.Extra {
		element(&b, x[0], x[1])
	}
	element(&b, "Resource", r.URL.Path)
	element(&b, "RequestId", w.Header().Get(RequestIDHeader))
	element(&b, "HostId", w.Header().Get(HostIDHeader))
	b.WriteString("</Error>")
	send(w, e.Status, b.Bytes())
}

func element(b *bytes.Buffer, name, value string) {
	b.WriteString("<" + name + ">")
	_ = xml.EscapeText(b, []byte(value)) // a bytes.Buffer does not fail
	b.WriteString("</" + name + ">")
}

// Unmarshal parses one XML document, with nothing behind it. It knows no entities but XML's
// five and reads no document type definition.
func Unmarshal(b []byte, v any) error {
	if !utf8.Valid(b) {
		return errors.New("the XML document is not UTF-8")
	}
	d := xml.NewDecoder(bytes.NewReader(b))
	if err := d.Decode(v); err != nil {
		return err
	}
	for {
		t, err := d.Token()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		switch t := t.(type) {
		case xml.Comment, xml.ProcInst:
		case xml.CharData:
			if len(bytes.TrimSpace(t)) > 0 {
				return errors.New("text behind the XML document")
			}
		default:
			return errors.New("a second XML document behind the first")
		}
	}
}

package server

import (
	"bytes"
	"fmt"
	"net"
	"strconv"

	"outcrop.dev/outcrop/wire/restjson"
	"outcrop.dev/outcrop/wire/restxml"
)

// dressed accepts connections on which what net/http answers by itself, to requests that it cannot
// read, becomes an answer of AWS's form. TLS has it as it is: net/http must see the connection itself.
type dressed struct{ net.Listener }

// Accept implements net.Listener.
func (l dressed) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return dressedConn{conn}, nil
}

type dressedConn struct{ net.Conn }

// plainAnswer is what stands between status line and text of net/http's own answers (badRequestError and
// statusError in its server.go), and of no others: ours have a request id there.
var plainAnswer = []byte("\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n")

// unexpected is how net/http answers another Expect than 100-continue. Nothing of ours has that status.
var unexpected = []byte("HTTP/1.1 417 Expectation Failed")

// Write writes p, or in place of an answer of net/http's own the one that it stands for. net/http
// writes those in one piece.
func (c dressedConn) Write(p []byte) (int, error) {
	line, text, own := bytes.Cut(p, plainAnswer)
	if bytes.HasPrefix(p, unexpected) {
		line, text, own = unexpected, []byte("only Expect: 100-continue is known"), true
	}
	if !own || !bytes.HasPrefix(line, []byte("HTTP/1.1 ")) || bytes.Contains(line, []byte("\r\n")) {
		return c.Conn.Write(p)
	}
	if _, err := c.Conn.Write(dress(line, text)); err != nil {
		return 0, err
	}
	return len(p), nil
}

// ownCodes are AWS's names for what net/http refuses.
var ownCodes = map[int]string{
	400: "ValidationException",
	417: "ValidationException",
	431: "RequestHeaderSectionTooLarge",
	501: "NotImplemented",
	505: "HttpVersionNotSupported",
}

// dress makes an answer that both JSON clients and S3's read: the name in a header, too. Which of
// the two asked is in the request that could not be read.
func dress(line, text []byte) []byte {
	status, code := 400, ownCodes[400]
	if fields := bytes.Fields(line); len(fields) > 1 {
		if n, err := strconv.Atoi(string(fields[1])); err == nil {
			status = n
		}
	}
	if known, ok := ownCodes[status]; ok {
		code = known
	}
	id := newRequestID()
	body := fmt.Sprintf(`{"message":%q}`, "The request cannot be read: "+string(text))
	return fmt.Appendf(nil, "%s\r\nContent-Type: application/json\r\nX-Amzn-ErrorType: %s\r\n%s: %s\r\n%s: %s\r\nServer: Outcrop\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s",
		line, code, restjson.RequestIDHeader, id, restxml.RequestIDHeader, id, len(body), body)
}

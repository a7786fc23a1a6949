package restjson

import (
	"fmt"
	"io/fs"
	"log/slog"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"

	"outcrop.dev/outcrop"
)

// What the disk has done to a request is told in words, whoever found it; other faults are not.
func TestDiskErrors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err    error
		status int
		code   outcrop.Code
		says   string
	}{
		{&fs.PathError{Op: "write", Path: "/secret", Err: syscall.ENOSPC}, 503, outcrop.CodeServiceUnavailable, "disk is full"},
		{fmt.Errorf("write: %w", syscall.EDQUOT), 503, outcrop.CodeServiceUnavailable, "disk is full"},
		{&fs.PathError{Op: "write", Path: "/secret", Err: syscall.EIO}, 500, outcrop.CodeInternal, "under request id"},
		{fmt.Errorf("get: %w", outcrop.ErrUnreadable("arn:x", syscall.EINVAL)), 500, outcrop.CodeInternal, "arn:x cannot be read"},
		{&outcrop.Error{Code: outcrop.CodeInternal, Msg: "secret"}, 500, outcrop.CodeInternal, "under request id"},
	} {
		w := httptest.NewRecorder()
		WriteError(t.Context(), slog.New(slog.DiscardHandler), w, c.err)
		if w.Code != c.status || w.Header().Get("X-Amzn-ErrorType") != string(c.code) || !strings.Contains(w.Body.String(), c.says) || strings.Contains(w.Body.String(), "secret") {
			t.Errorf("%v: %d %v %s", c.err, w.Code, w.Header(), w.Body)
		}
	}
}

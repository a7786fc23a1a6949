package sts

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"outcrop.dev/outcrop"
)

// Every operation asks for its action before it answers.
func TestEveryOperationAsks(t *testing.T) {
	t.Parallel()
	h := New(func() string { return "id" }, slog.New(slog.DiscardHandler))
	for name := range operations {
		for denied, status := range map[string]int{"sts:" + name: http.StatusForbidden, "sts:Other": http.StatusOK} {
			may := func(_ context.Context, action string, resource outcrop.ARN) error {
				if action == denied && resource == outcrop.Anything {
					return outcrop.Errorf(outcrop.CodeAccessDenied, "not authorized to perform: %s", action)
				}
				return nil
			}
			ctx := outcrop.WithCaller(t.Context(), outcrop.Caller{Account: "123456789012", May: may})
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequestWithContext(ctx, "GET", "/?Action="+name, http.NoBody))
			refused := strings.Contains(w.Body.String(), "<Code>AccessDenied</Code><Message>not authorized to perform: sts:"+name)
			if w.Code != status || refused != (status == http.StatusForbidden) {
				t.Errorf("%s without %s: %d %s", name, denied, w.Code, w.Body)
			}
		}
	}
}

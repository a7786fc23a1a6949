package s3

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/data/blob"
)

// denying refuses one action on resources that end so, and notes what it is asked.
func denying(action, end string, asked *[]string) outcrop.Authorizer {
	return func(_ context.Context, a string, resource outcrop.ARN) error {
		*asked = append(*asked, a+" "+string(resource))
		if a == action && strings.HasSuffix(string(resource), end) {
			return outcrop.Errorf(outcrop.CodeAccessDenied, "User is not authorized to perform: %s", a)
		}
		return nil
	}
}

// ask sends a request to a service over store, as a caller who may do what may allows. ran is that
// an operation got as far as a store that is nil.
func ask(store Store, may outcrop.Authorizer, r *http.Request) (w *httptest.ResponseRecorder, ran bool) {
	s := New(store, Options{NewRequestID: func() string { return "id" }, Log: slog.New(slog.DiscardHandler)})
	caller := outcrop.Caller{Account: "123456789012", Region: "us-east-1", May: may}
	w = httptest.NewRecorder()
	defer func() { ran = recover() != nil }()
	s.ServeHTTP(w, r.WithContext(outcrop.WithCaller(r.Context(), caller)))
	return w, false
}

// Every operation asks for its action on its bucket or object before it does anything.
func TestEveryOperationAsks(t *testing.T) {
	t.Parallel()
	for _, place := range []struct {
		routes         routes
		path, resource string
	}{
		{serviceRoutes, "/", "*"},
		{bucketRoutes, "/bucket", "arn:aws:s3:::bucket"},
		{objectRoutes, "/bucket/a/key", "arn:aws:s3:::bucket/a/key"},
	} {
		for method, byName := range place.routes {
			for name, op := range byName {
				request := func() *http.Request { return httptest.NewRequest(method, place.path+"?"+name, http.NoBody) }
				if op.action == perKey {
					if name != "delete" {
						t.Errorf("%s %s?%s has no action", method, place.path, name)
					}
					continue // TestDeleteObjectsAsksForEachKey
				}
				var asked []string
				w, ran := ask(nil, denying("s3:"+op.action, "", &asked), request())
				told := method == http.MethodHead || strings.Contains(w.Body.String(), "<Code>AccessDenied</Code><Message>User is not authorized")
				if ran || w.Code != http.StatusForbidden || !told || !slices.Equal(asked, []string{"s3:" + op.action + " " + place.resource}) {
					t.Errorf("%s %s?%s: ran %v, %d %s, asked %q", method, place.path, name, ran, w.Code, w.Body, asked)
				}
				if w, ran := ask(nil, denying("s3:Other", "", &asked), request()); !ran && w.Code == http.StatusForbidden {
					t.Errorf("%s %s?%s, allowed: %d %s", method, place.path, name, w.Code, w.Body)
				}
			}
		}
	}
}

// emptied is a store that notes which keys are deleted.
type emptied struct {
	Store
	keys []string
}

func (e *emptied) HeadBucket(context.Context, string) (blob.Bucket, error) { return blob.Bucket{}, nil }

func (e *emptied) Delete(_ context.Context, _, key string, _ blob.Condition) error {
	e.keys = append(e.keys, key)
	return nil
}

func (e *emptied) DeleteMany(_ context.Context, _ string, keys []string) error {
	e.keys = append(e.keys, keys...)
	return nil
}

func TestDeleteObjectsAsksForEachKey(t *testing.T) {
	t.Parallel()
	var asked []string
	store := &emptied{}
	body := `<Delete><Object><Key>yours</Key></Object><Object><Key>mine</Key></Object><Object><Key>other/mine</Key><ETag>x</ETag></Object></Delete>`
	r := httptest.NewRequest("POST", "/bucket?delete", strings.NewReader(body))
	r.Header.Set("Content-Md5", "+ojTQr8NWPyPGh+2m3Q4pQ==")
	w, ran := ask(store, denying("s3:DeleteObject", "mine", &asked), r)
	if ran || w.Code != http.StatusOK || strings.Count(w.Body.String(), "<Code>AccessDenied</Code>") != 2 || !slices.Equal(store.keys, []string{"yours"}) {
		t.Errorf("%v %d %s, deleted %q", ran, w.Code, w.Body, store.keys)
	}
	if !slices.Equal(asked, []string{"s3:DeleteObject arn:aws:s3:::bucket/yours", "s3:DeleteObject arn:aws:s3:::bucket/mine", "s3:DeleteObject arn:aws:s3:::bucket/other/mine"}) {
		t.Errorf("asked %q", asked)
	}
}

// A copy needs its source too.
func TestCopyAsksForItsSource(t *testing.T) {
	t.Parallel()
	for _, query := range []string{"", "?uploadId=u&partNumber=1"} {
		var asked []string
		r := httptest.NewRequest("PUT", "/bucket/to"+query, http.NoBody)
		r.Header.Set(copySourceHeader, "/other/from%20here")
		w, ran := ask(&emptied{}, denying("s3:GetObject", "other/from here", &asked), r)
		if ran || w.Code != http.StatusForbidden || !slices.Equal(asked, []string{"s3:PutObject arn:aws:s3:::bucket/to", "s3:GetObject arn:aws:s3:::other/from here"}) {
			t.Errorf("%s: ran %v, %d %s, asked %q", query, ran, w.Code, w.Body, asked)
		}
	}
}

package restxml

import (
	"encoding/xml"
	"net/http/httptest"
	"strings"
	"testing"
)

type doc struct {
	XMLName xml.Name `xml:"Doc"`
	A       string
}

func TestUnmarshal(t *testing.T) {
	t.Parallel()
	const ok = `<Doc><A>x&amp;y</A></Doc>`
	for name, c := range map[string]struct {
		in   string
		fail bool
	}{
		"plain":           {ok, false},
		"with namespace":  {`<?xml version="1.0"?><Doc xmlns="` + Namespace + `"><A>x&amp;y</A></Doc><!-- end --> `, false},
		"another root":    {`<Other><A>x</A></Other>`, true},
		"two documents":   {ok + ok, true},
		"text behind":     {ok + "x", true},
		"cut off":         {`<Doc><A>x`, true},
		"entity":          {`<!DOCTYPE d [<!ENTITY e "x">]><Doc><A>&e;</A></Doc>`, true},
		"invalid UTF-8":   {"<Doc><A>\xff</A></Doc>", true},
		"other encoding":  {`<?xml version="1.0" encoding="latin1"?>` + ok, true},
		"empty":           {"", true},
		"deep":            {strings.Repeat("<Doc>", 20_000), true},
		"unknown element": {`<Doc><A>x&amp;y</A><B/></Doc>`, false},
	} {
		var d doc
		err := Unmarshal([]byte(c.in), &d)
		if c.fail != (err != nil) || err == nil && d.A != "x&y" {
			t.Errorf("%s: %+v, %v", name, d, err)
		}
	}
}

func TestWriteError(t *testing.T) {
	t.Parallel()
	e := &Error{Code: "NoSuchKey", Status: 404, Message: "a < b", Extra: [][2]string{{"Key", "k\x01&"}}}
	w := httptest.NewRecorder()
	w.Header().Set(RequestIDHeader, "R1")
	WriteError(w, httptest.NewRequest("GET", "/b/k%20%26", nil), e)
	want := xml.Header + "<Error><Code>NoSuchKey</Code><Message>a &lt; b</Message><Key>k\uFFFD&amp;</Key>" +
		"<Resource>/b/k &amp;</Resource><RequestId>R1</RequestId><HostId></HostId></Error>"
	if w.Code != 404 || w.Body.String() != want {
		t.Errorf("%d\n got %s\nwant %s", w.Code, w.Body, want)
	}
	w = httptest.NewRecorder()
	WriteError(w, httptest.NewRequest("HEAD", "/b/k", nil), e)
	if w.Code != 404 || w.Body.Len() > 0 {
		t.Errorf("HEAD: %d %q", w.Code, w.Body)
	}
}

func TestWrite(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	if err := Write(w, 201, doc{A: "ü"}); err != nil {
		t.Fatal(err)
	}
	if w.Code != 201 || w.Body.String() != xml.Header+"<Doc><A>ü</A></Doc>" || w.Header().Get("Content-Type") != "application/xml" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if err := Write(w, 200, make(chan int)); err == nil {
		t.Error("encoded a channel")
	}
}

func FuzzUnmarshal(f *testing.F) {
	f.Add([]byte(`<Doc><A>x</A></Doc>`))
	f.Fuzz(func(t *testing.T, b []byte) { _ = Unmarshal(b, new(doc)) })
}

package eventstream

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"
)

// sdkFrame encodes m with the SDK.
func sdkFrame(t testing.TB, m Message) []byte {
	t.Helper()
	msg := sdk.Message{Payload: m.Payload}
	for _, h := range m.Headers {
		msg.Headers.Set(h.Name, sdk.StringValue(h.Value))
	}
	var b bytes.Buffer
	if err := sdk.NewEncoder().Encode(&b, msg); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

var samples = map[string]Message{
	"empty":   {},
	"payload": {Payload: []byte(`{"bytes":"e30="}`)},
	"event": {
		Headers: []Header{{":event-type", "chunk"}, {":content-type", "application/json"}, {":message-type", "event"}},
		Payload: []byte(`{"bytes":"eyJvdXRwdXRUZXh0Ijoi4pyTIn0="}`),
	},
	"exception": {
		Headers: []Header{{":exception-type", "throttlingException"}, {":content-type", "application/json"}, {":message-type", "exception"}},
		Payload: []byte(`{"message":"Too many tokens, please wait before retrying."}`),
	},
	"empty value": {Headers: []Header{{"x", ""}}},
	"longest":     {Headers: []Header{{strings.Repeat("n", HeaderNameBytesMax), strings.Repeat("v", HeaderValueBytesMax)}}},
	"binary":      {Payload: bytes.Repeat([]byte{0, 255, 7}, 1000)},
}

func TestSameBytesAsSDK(t *testing.T) {
	t.Parallel()
	for name, m := range samples {
		got, err := Append(nil, m)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if want := sdkFrame(t, m); !bytes.Equal(got, want) {
			t.Errorf("%s:\n got %x\nwant %x", name, got, want)
		}
	}
}

func TestReadWhatSDKWrote(t *testing.T) {
	t.Parallel()
	var stream []byte
	var want []Message
	for _, m := range samples {
		stream = append(stream, sdkFrame(t, m)...)
		want = append(want, m)
	}
	r := bytes.NewReader(stream)
	for i, w := range want {
		m, err := Read(r)
		if err != nil {
			t.Fatalf("message %d: %v", i, err)
		}
		if !sameMessage(m, w) {
			t.Errorf("message %d: got %v, want %v", i, m, w)
		}
	}
	if _, err := Read(r); err != io.EOF {
		t.Errorf("after the last frame: %v, want EOF", err)
	}
}

func sameMessage(a, b Message) bool {
	if len(a.Headers) != len(b.Headers) || !bytes.Equal(a.Payload, b.Payload) {
		return false
	}
	for i := range a.Headers {
		if a.Headers[i] != b.Headers[i] {
			return false
		}
	}
	return true
}

func TestHeader(t *testing.T) {
	t.Parallel()
	m := samples["event"]
	if got := m.Header(":event-type"); got != "chunk" {
		t.Errorf("got %q", got)
	}
	if got := m.Header("absent"); got != "" {
		t.Errorf("got %q", got)
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	many := func(n int) []Header { // n bytes of headers
		hs := []Header{}
		for n > 4+1+HeaderValueBytesMax {
			hs = append(hs, Header{"x", strings.Repeat("v", 1000)})
			n -= 1005
		}
		return append(hs, Header{"x", strings.Repeat("v", n-5)})
	}
	for _, c := range []struct {
		name string
		m    Message
		ok   bool
	}{
		{"name at the limit", Message{Headers: []Header{{strings.Repeat("n", 255), ""}}}, true},
		{"name beyond", Message{Headers: []Header{{strings.Repeat("n", 256), ""}}}, false},
		{"no name", Message{Headers: []Header{{"", "v"}}}, false},
		{"value at the limit", Message{Headers: []Header{{"n", strings.Repeat("v", 32767)}}}, true},
		{"value beyond", Message{Headers: []Header{{"n", strings.Repeat("v", 32768)}}}, false},
		{"headers at the limit", Message{Headers: many(HeadersBytesMax)}, true},
		{"headers beyond", Message{Headers: many(HeadersBytesMax + 1)}, false},
		{"payload at the limit", Message{Payload: make([]byte, PayloadBytesMax)}, true},
		{"payload beyond", Message{Payload: make([]byte, PayloadBytesMax+1)}, false},
	} {
		b, err := Append([]byte("before"), c.m)
		if (err == nil) != c.ok {
			t.Errorf("%s: err %v", c.name, err)
		}
		if err != nil {
			if string(b) != "before" {
				t.Errorf("%s: dst was changed", c.name)
			}
			continue
		}
		if _, err := Read(bytes.NewReader(b[len("before"):])); err != nil {
			t.Errorf("%s: what was written does not read: %v", c.name, err)
		}
	}
}

func TestReadRefusesDamage(t *testing.T) {
	t.Parallel()
	good := sdkFrame(t, samples["event"])
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 0x20
		if _, err := Read(bytes.NewReader(bad)); err == nil {
			t.Errorf("byte %d damaged: no error", i)
		}
	}
	for n := 1; n < len(good); n++ {
		if _, err := Read(bytes.NewReader(good[:n])); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("cut after %d bytes: %v", n, err)
		}
	}
}

func TestReadRefusesOtherHeaderTypes(t *testing.T) {
	t.Parallel()
	msg := sdk.Message{}
	msg.Headers.Set("n", sdk.Int32Value(1))
	var b bytes.Buffer
	if err := sdk.NewEncoder().Encode(&b, msg); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(&b); err == nil || !strings.Contains(err.Error(), "type 4") {
		t.Errorf("err %v", err)
	}
}

// FuzzRead checks that what reads is written again with the same bytes, that the SDK reads
// it too, and that nothing panics.
func FuzzRead(f *testing.F) {
	for _, m := range samples {
		f.Add(sdkFrame(f, m))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bytes.NewReader(b)
		m, err := Read(r)
		if err != nil {
			return
		}
		again, err := Append(nil, m)
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		if used := b[:len(b)-r.Len()]; !bytes.Equal(again, used) {
			t.Fatalf("read %x, wrote %x", used, again)
		}
		if _, err := sdk.NewDecoder().Decode(bytes.NewReader(again), nil); err != nil {
			t.Fatalf("the SDK cannot read %x: %v", again, err)
		}
	})
}

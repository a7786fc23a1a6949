package server

import (
	"net/http"
	"testing"
)

// The last of X-Forwarded-For counts, and only if a trusted proxy sent it.
func TestPeer(t *testing.T) {
	t.Parallel()
	trusted, err := parseProxies([]string{"10.0.0.0/8", "::1"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		from      string
		forwarded []string
		want      string
	}{
		{"192.0.2.1:5", nil, "192.0.2.1/32"},
		{"[::ffff:192.0.2.1]:5", nil, "192.0.2.1/32"},
		{"[2001:db8:1:2:3:4:5:6]:5", nil, "2001:db8:1:2::/64"},
		{"[fe80::1%eth0]:5", nil, "fe80::/64"},
		{"192.0.2.1:5", []string{"192.0.2.9"}, "192.0.2.1/32"},
		{"10.1.2.3:5", nil, "10.1.2.3/32"},
		{"10.1.2.3:5", []string{"192.0.2.7, 192.0.2.8", "192.0.2.9"}, "192.0.2.9/32"},
		{"10.1.2.3:5", []string{"192.0.2.7,192.0.2.8"}, "192.0.2.8/32"},
		{"[::1]:5", []string{"2001:db8:1:2:3::"}, "2001:db8:1:2::/64"},
		{"[::1]:5", []string{"192.0.2.9:80"}, "192.0.2.9/32"},
		{"[::1]:5", []string{"unknown"}, "::/64"},
		{"@", nil, "invalid Prefix"},
	} {
		r := &http.Request{RemoteAddr: c.from, Header: http.Header{"X-Forwarded-For": c.forwarded}}
		if got := trusted.peer(r).String(); got != c.want {
			t.Errorf("%s %q: %s, want %s", c.from, c.forwarded, got, c.want)
		}
	}
	if _, err := parseProxies([]string{"10.0.0.0/33"}); err == nil {
		t.Error("a network of 33 bits was accepted")
	}
}

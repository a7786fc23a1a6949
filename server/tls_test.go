package server

import (
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// A certificate is read again when its files change, and stays when they cannot be read. The one that
// the server makes stays as long as it is good for all names.
func TestCertificateIsReadAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "c"), filepath.Join(dir, "k")
	now := time.Now()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(selfSigned(cert, key, []string{"localhost", "*.localhost", "127.0.0.1"}, now))
	c, err := loadCertificate(cert, key, func() time.Time { return now }, slog.New(slog.DiscardHandler))
	must(err)
	first := c.fingerprint()

	must(selfSigned(cert, key, []string{"localhost", "x.localhost"}, now.Add(selfSignedLife-selfSignedRenew-time.Minute)))
	now = now.Add(certificatePoll)
	if c.fingerprint() != first {
		t.Error("a good certificate was replaced")
	}
	for name, change := range map[string]func() error{
		"another name": func() error { return selfSigned(cert, key, []string{"localhost", "a.example"}, now) },
		"near its end": func() error {
			return selfSigned(cert, key, []string{"localhost"}, now.Add(selfSignedLife-selfSignedRenew+time.Minute))
		},
	} {
		before := c.fingerprint()
		must(change())
		later := now.Add(time.Hour)
		must(os.Chtimes(cert, later, later))
		now = now.Add(certificatePoll)
		if c.fingerprint() == before {
			t.Errorf("%s: the certificate before is used", name)
		}
	}
	before := c.fingerprint()
	must(os.WriteFile(cert, []byte("half"), 0o600))
	now = now.Add(certificatePoll)
	if c.fingerprint() != before {
		t.Error("a broken file replaced a good certificate")
	}
	if selfSigned(cert, key, []string{"localhost"}, now) == nil {
		t.Error("a file that is not ours was replaced")
	}
}

func TestReachable(t *testing.T) {
	t.Parallel()
	for listen, want := range map[string]string{"0.0.0.0:5": "127.0.0.1:5", "[::]:5": "127.0.0.1:5", "192.0.2.1:5": "192.0.2.1:5", "[::1]:5": "[::1]:5"} {
		a, err := net.ResolveTCPAddr("tcp", listen)
		if err != nil {
			t.Fatal(err)
		}
		if got := reachable(a); got != want {
			t.Errorf("%s is reached by %s, want %s", listen, got, want)
		}
	}
}

package server_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sts"

	"outcrop.dev/outcrop/server"
)

// runWith runs a server of a configuration until the test ends.
func runWith(t *testing.T, cfg server.Config) *server.Server {
	t.Helper()
	cfg.DataDir, cfg.Threads = t.TempDir(), 1
	s, err := server.New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return s
}

// With TLS clients speak HTTP/2 and 1.1 to the public address, by the certificate that the server has
// made, and this machine's workers and commands reach it as ever.
func TestTLS(t *testing.T) {
	t.Parallel()
	s := runWith(t, server.Config{Listen: "0.0.0.0:0", TLSSelfSigned: true})
	pem, err := os.ReadFile(s.CABundle())
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	if !strings.HasPrefix(s.PublicURL(), "https://127.0.0.1:") || len(s.Fingerprint()) != 32*3-1 {
		t.Errorf("%s, fingerprint %s", s.PublicURL(), s.Fingerprint())
	}
	for _, protocol := range []string{"HTTP/2.0", "HTTP/1.1"} {
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: protocol == "HTTP/2.0"}
		if !transport.ForceAttemptHTTP2 {
			transport.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
		}
		client := &http.Client{Transport: transport}
		resp, err := client.Get(s.PublicURL() + "/healthz")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.Proto != protocol || resp.StatusCode != http.StatusOK {
			t.Errorf("%s %s, want %s", resp.Proto, resp.Status, protocol)
		}
		cfg := config(s, s.RootKey(), client)
		url := s.PublicURL()
		cfg.BaseEndpoint = &url
		if _, err := sts.NewFromConfig(cfg).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{}); err != nil {
			t.Errorf("%s: %v", protocol, err)
		}
	}
	old := &tls.Config{RootCAs: pool, MaxVersion: tls.VersionTLS11}
	if conn, err := tls.Dial("tcp", strings.TrimPrefix(s.PublicURL(), "https://"), old); err == nil {
		conn.Close()
		t.Error("TLS 1.1 is spoken")
	}
	if status, _ := get(t, s.URL()+"/readyz"); status != http.StatusOK {
		t.Errorf("this machine: %d", status)
	}
	b, err := os.ReadFile(filepath.Join(s.DataDir(), server.InfoFile))
	var info server.Info
	if err != nil || json.Unmarshal(b, &info) != nil || info.URL != s.URL() || info.Public != s.PublicURL() || info.CABundle != s.CABundle() {
		t.Errorf("%s, %v", b, err)
	}
}

// Clear text beyond loopback is spoken only if it is wanted; addresses say what they listen on.
func TestListen(t *testing.T) {
	t.Parallel()
	for listen, want := range map[string]string{
		"0.0.0.0:0": "--insecure-http", "[::]:0": "--insecure-http", ":0": "--insecure-http",
		"::1:4510": "written in brackets, as in [::1]:4510", "127.0.0.1": "missing port",
	} {
		_, err := server.New(t.Context(), server.Config{DataDir: t.TempDir(), Listen: listen})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", listen, err, want)
		}
	}
	s := runWith(t, server.Config{Listen: "0.0.0.0:0", InsecureHTTP: true})
	if !strings.HasPrefix(s.URL(), "http://127.0.0.1:") || s.BothFamilies() {
		t.Errorf("%s, both families: %v", s.URL(), s.BothFamilies())
	}
	if conn, err := net.Dial("tcp6", strings.Replace(strings.TrimPrefix(s.URL(), "http://"), "127.0.0.1", "[::1]", 1)); err == nil {
		conn.Close()
		t.Error("an address of IPv4 is reached by IPv6")
	}
}

// A request for another server's name is refused, whoever asks.
func TestHosts(t *testing.T) {
	t.Parallel()
	s := runWith(t, server.Config{Listen: "127.0.0.1:0", Hosts: []string{"models.example", "192.0.2.7"}, Domains: []string{"s3.example"}, Advertise: "gate.example:443"})
	if s.PublicURL() != "http://gate.example:443" {
		t.Errorf("clients are told %s", s.PublicURL())
	}
	for host, want := range map[string]int{
		"127.0.0.1": 200, "127.0.0.1:4510": 200, "[::1]:1": 200, "localhost": 200, "LOCALHOST.:80": 200, "bucket.localhost": 200, "a.b.localhost:1": 200,
		"models.example": 200, "192.0.2.7:5": 200, "s3.example": 200, "bucket.s3.example": 200, "gate.example": 200,
		"evil.example": 421, "localhost.evil.example": 421, "x.models.example": 421, "192.0.2.8": 421, "s3.example.evil.example": 421, "notlocalhost": 421,
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL()+"/healthz", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = host
		resp, err := http1().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s: %d, want %d", host, resp.StatusCode, want)
		}
	}
}

// What net/http answers by itself has the form of AWS's answers, and an id.
func TestOwnAnswers(t *testing.T) {
	t.Parallel()
	s := start(t)
	for request, want := range map[string]string{
		"GET /custom-models/%zz HTTP/1.1\r\nHost: localhost\r\n\r\n":                          "400 ValidationException",
		"GET / HTTP/1.1\r\n\r\n":                                                              "400 ValidationException",
		"nonsense that is longer than the preface of HTTP/2\r\n\r\n":                          "400 ValidationException",
		"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + strings.Repeat("x", 80<<10) + "\r\n\r\n": "431 RequestHeaderSectionTooLarge",
		"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\r\n":               "501 NotImplemented",
		"GET / HTTP/3.7\r\nHost: localhost\r\n\r\n":                                           "505 HttpVersionNotSupported",
		"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n":                                       "403 ",
		"GET /custom-models//x HTTP/1.1\r\nHost: localhost\r\n\r\n":                           "403 ",
		"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n":                      "400 ValidationException",
		"PUT /b/k HTTP/1.1\r\nHost: localhost\r\nExpect: tea\r\nContent-Length: 1\r\n\r\n":    "417 ",
	} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL(), "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		go func() { _, _ = io.WriteString(conn, request) }() // it may be answered before it is read
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Errorf("%.60q: %v", request, err)
			continue
		}
		got := fmt.Sprint(resp.StatusCode, " ", resp.Header.Get("X-Amzn-ErrorType"))
		if !strings.HasPrefix(got, want) || resp.Header.Get("X-Amzn-Requestid") == "" || strings.HasPrefix(resp.Header.Get("Content-Type"), "text/") {
			t.Errorf("%.60q: %s %v, want %s", request, got, resp.Header, want)
		}
	}
}

// A directory that others could look into is closed to them.
func TestDataDirIsPrivate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	startIn(t, dir)
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v %v", info.Mode(), err)
	}
}

// On an address of their own metrics are for everybody, and nothing else is there.
func TestMetricsAddress(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := ln.Addr().String()
	ln.Close()
	runWith(t, server.Config{Listen: "127.0.0.1:0", Metrics: address})
	for path, want := range map[string]int{"/metrics": 200, "/": 404, "/foundation-models": 404} {
		var resp *http.Response
		for range 100 { // until it serves
			if resp, err = http1().Get("http://" + address + path); err == nil {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s: %d, want %d", path, resp.StatusCode, want)
		}
	}
}

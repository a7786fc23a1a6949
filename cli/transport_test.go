package cli

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/sts"

	"outcrop.dev/outcrop/data/iam"
)

// No proxy is asked for what is on this machine, or for the server of the data directory.
func TestNoProxyToThisMachine(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:9")
	near := target{url: "http://127.0.0.1:1", public: "https://models.example:443"}
	for host, want := range map[string]bool{
		"127.0.0.1": true, "127.9.9.9": true, "[::1]": true, "[::]": true, "0.0.0.0": true, "localhost": true, "b.localhost": true,
		"models.example": true, "other.example": false, "192.0.2.1": false,
	} {
		r := httptest.NewRequest(http.MethodGet, "http://"+host+":4510/", nil)
		if u, err := near.proxy(r); err != nil || want && u != nil || near.isNear(r.URL.Hostname()) != want {
			t.Errorf("%s: proxy %v, %v", host, u, err)
		}
	}
	if addrs, err := net.InterfaceAddrs(); err == nil {
		for _, a := range addrs {
			if n, ok := a.(*net.IPNet); ok && !near.isNear(n.IP.String()) {
				t.Errorf("%s is this machine's", n.IP)
			}
		}
	}
}

// A call really goes past the proxy. (The environment's proxies are read once: another process's.)
func TestClientHasTheTargetsTransport(t *testing.T) {
	t.Parallel()
	asked := make(chan string, 10)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked <- r.Host }))
	defer server.Close()
	c := newClient(target{url: server.URL, key: iam.Key{AccessKeyID: "A", SecretAccessKey: "b"}, region: "us-east-1"})
	_, _ = c.sts.GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{}) // the answer is nothing
	if host := <-asked; !strings.HasPrefix(host, "127.0.0.1:") {
		t.Errorf("asked for %s", host)
	}
	tr := target{url: server.URL}.httpClient().GetTransport()
	u, err := tr.Proxy(httptest.NewRequest(http.MethodGet, server.URL, nil))
	if u != nil || err != nil || tr.Proxy == nil {
		t.Errorf("proxy %v %v", u, err)
	}
}

// What is printed for other programs is the public address, with what they need for it.
func TestEnvironmentOfAPublicServer(t *testing.T) {
	t.Parallel()
	near := target{url: "http://127.0.0.1:1", public: "https://models.example:443", caBundle: "/d/tls-cert.pem"}
	_, values := near.environment(func(name string) string { return map[string]string{"NO_PROXY": "a.example, 127.0.0.1"}[name] })
	for name, want := range map[string]string{
		"AWS_ENDPOINT_URL": "https://models.example:443", "AWS_CA_BUNDLE": "/d/tls-cert.pem",
		"NO_PROXY": "a.example,127.0.0.1,localhost,::1,models.example", "no_proxy": "a.example,127.0.0.1,localhost,::1,models.example",
	} {
		if values[name] != want {
			t.Errorf("%s is %q, want %q", name, values[name], want)
		}
	}
}

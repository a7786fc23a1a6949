package cli

import (
	"crypto/x509"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
)

// httpClient is the SDK's, but that no proxy sees what is for a server on this machine, or for the
// one of the data directory: a request holds the prompt.
func (t target) httpClient() *awshttp.BuildableClient {
	return awshttp.NewBuildableClient().WithTransportOptions(func(tr *http.Transport) {
		tr.Proxy = t.proxy
		if t.caBundle == "" {
			return
		}
		if pem, err := os.ReadFile(t.caBundle); err == nil { // if not, the handshake says what is missing
			pool := x509.NewCertPool()
			pool.AppendCertsFromPEM(pem)
			tr.TLSClientConfig.RootCAs = pool
		}
	})
}

func (t target) proxy(r *http.Request) (*url.URL, error) {
	if t.isNear(r.URL.Hostname()) {
		return nil, nil
	}
	return http.ProxyFromEnvironment(r)
}

// isNear tells whether a host is this machine, or that of the data directory's server.
func (t target) isNear(host string) bool {
	host = strings.ToLower(host)
	if host == "localhost" || strings.HasSuffix(host, ".localhost") || host == hostname(t.public) {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && (a.IsLoopback() || a.IsUnspecified() || isLocal(a))
}

// isLocal tells whether an address is one of this machine's.
func isLocal(a netip.Addr) bool {
	addrs, err := net.InterfaceAddrs()
	return err == nil && slices.ContainsFunc(addrs, func(x net.Addr) bool {
		n, ok := x.(*net.IPNet)
		return ok && n.IP.Equal(net.IP(a.AsSlice()))
	})
}

// noProxy adds the hosts of the target to those that need no proxy already.
func (t target) noProxy(before string) string {
	var all []string
	for _, name := range append(strings.Split(before, ","), "localhost", "127.0.0.1", "::1", hostname(t.url), hostname(t.public)) {
		if name = strings.TrimSpace(name); name != "" && !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	return strings.Join(all, ",")
}

func hostname(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Hostname())
}

package server

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"outcrop.dev/outcrop/wire/restxml"
)

// localName is what every machine calls itself. SDKs write BUCKET.localhost.
const localName = "localhost"

// domains are the hosts under which a bucket has a host of its own.
func (c Config) domains() []string { return append([]string{localName}, c.Domains...) }

// names are the hosts by which the server is called, beside its addresses.
func (c Config) names() []string {
	names := append([]string{localName}, c.Hosts...)
	names = append(names, c.Domains...)
	if c.Advertise != "" {
		names = append(names, hostOf(c.Advertise))
	}
	return names
}

// certified are the names of a certificate that the server makes for itself.
func (c Config) certified(listen net.Addr) []string {
	names := append(c.names(), "127.0.0.1", "::1")
	for _, d := range c.domains() {
		names = append(names, "*."+d)
	}
	if a := addressOf(listen.String()); a.IsValid() && !a.IsUnspecified() {
		names = append(names, a.String())
	} else if addrs, err := net.InterfaceAddrs(); err == nil {
		for _, a := range addrs {
			if n, ok := a.(*net.IPNet); ok && n.IP.IsGlobalUnicast() {
				names = append(names, n.IP.String())
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// hostOf takes the port and the brackets off a Host.
func hostOf(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	return strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
}

// isOurs tells whether a request is for this server: for the address that it came to, one of this
// machine's own, or a name of ours. A web page whose name an attacker has turned to this address
// (DNS rebinding) is not.
func (c Config) isOurs(r *http.Request) bool {
	host := hostOf(r.Host)
	if a, err := netip.ParseAddr(host); err == nil {
		local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
		return a.IsLoopback() || slices.Contains(c.Hosts, host) || hostOf(c.Advertise) == host || local != nil && addressOf(local.String()) == a.Unmap()
	}
	for _, name := range c.names() {
		if host == strings.ToLower(name) {
			return true
		}
	}
	return slices.ContainsFunc(c.domains(), func(d string) bool { return strings.HasSuffix(host, "."+strings.ToLower(d)) })
}

// checkHost answers requests that are for another server.
func (s *Server) checkHost(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.cfg.isOurs(r) {
			next.ServeHTTP(w, r)
			return
		}
		restxml.WriteError(w, r, &restxml.Error{Code: "MisdirectedRequest", Status: http.StatusMisdirectedRequest,
			Message: "This server does not go by the name " + hostOf(r.Host) + ". If it should, start it with --host and that name."})
	})
}

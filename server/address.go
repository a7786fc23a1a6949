package server

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
)

// network is the kind of network that an address is listened on: one of IPv4 is not reached by
// IPv6, past a firewall that was made for the other. [::] is both.
func network(listen string) (string, error) {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		if i := strings.LastIndexByte(listen, ':'); i > 0 && strings.Count(listen, ":") > 1 {
			return "", fmt.Errorf("the address %s has several colons: an IPv6 address is written in brackets, as in [%s]:%s", listen, listen[:i], listen[i+1:])
		}
		return "", err
	}
	a, err := netip.ParseAddr(host)
	switch {
	case host == "":
		return "tcp", nil // as [::]
	case err != nil:
		return "tcp", nil // a name
	case a.Is4():
		return "tcp4", nil
	case a.IsUnspecified():
		return "tcp", nil
	}
	return "tcp6", nil
}

// beyondLoopback tells whether other machines reach what listens there.
func beyondLoopback(a net.Addr) bool {
	at := addressOf(a.String())
	return !at.IsLoopback()
}

// checkClearText refuses to speak to other machines in clear text unless that is wanted.
func (c Config) checkClearText(a net.Addr) error {
	if c.InsecureHTTP || c.encrypted() || !beyondLoopback(a) {
		return nil
	}
	return errors.New("other machines reach " + a.String() + ", and prompts, answers and data would cross the network in clear text: " +
		"give --tls-cert and --tls-key, or --tls-self-signed; or, if something before this server sees to that, --insecure-http")
}

// encrypted tells whether the server speaks TLS.
func (c Config) encrypted() bool { return c.TLSCert != "" || c.TLSSelfSigned }

// both tells whether IPv4 and IPv6 come to a listener.
func both(a net.Addr) bool { at := addressOf(a.String()); return at.Is6() && at.IsUnspecified() }

// reachable is a host:port by which this machine reaches what listens at a.
func reachable(a net.Addr) string {
	ap, err := netip.ParseAddrPort(a.String())
	if err != nil || !ap.Addr().IsUnspecified() {
		return a.String()
	}
	// [::] takes IPv4 too, but where the machine has none of it.
	host := "127.0.0.1"
	if ap.Addr().Is6() {
		if probe, err := net.Listen("tcp4", "127.0.0.1:0"); err == nil {
			probe.Close()
		} else {
			host = "::1"
		}
	}
	return net.JoinHostPort(host, fmt.Sprint(ap.Port()))
}

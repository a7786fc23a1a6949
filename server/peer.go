package server

import (
	"net/http"
	"net/netip"
	"strings"
)

// A peer is whom a request or a connection is counted for: an address of IPv4, or the 64 bits
// that a network of IPv6 gives to one customer.
type peer = netip.Prefix

// ipv6PeerBits is how much of an address of IPv6 is told apart: the rest is the customer's to choose.
const ipv6PeerBits = 64

// addressOf is the address of a host:port; the zero address for what has none.
func addressOf(hostport string) netip.Addr {
	ap, err := netip.ParseAddrPort(hostport)
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap().WithZone("")
}

// peerOf is the peer of an address; the zero peer for the zero address.
func peerOf(a netip.Addr) peer {
	a = a.Unmap().WithZone("")
	bits := a.BitLen()
	if a.Is6() {
		bits = ipv6PeerBits
	}
	p, _ := a.Prefix(bits) // the bits are right
	return p
}

// proxies are the networks whose X-Forwarded-For is believed.
type proxies []netip.Prefix

// parseProxies reads networks (10.0.0.0/8) and addresses.
func parseProxies(texts []string) (proxies, error) {
	var ps proxies
	for _, text := range texts {
		p, err := netip.ParsePrefix(text)
		if a, err := netip.ParseAddr(text); err == nil {
			ps = append(ps, netip.PrefixFrom(a, a.BitLen()))
			continue
		}
		if err != nil {
			return nil, err
		}
		ps = append(ps, p.Masked())
	}
	return ps, nil
}

func (ps proxies) trust(a netip.Addr) bool {
	for _, p := range ps {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// peer is whom a request is counted for: who sent it, or whom a trusted proxy says that it has it
// from. That is the last of X-Forwarded-For: the others are the client's to invent.
func (ps proxies) peer(r *http.Request) peer {
	from := addressOf(r.RemoteAddr)
	lines := r.Header.Values("X-Forwarded-For")
	if !ps.trust(from) || len(lines) == 0 {
		return peerOf(from)
	}
	last := lines[len(lines)-1]
	last = strings.TrimSpace(last[strings.LastIndexByte(last, ',')+1:])
	if a, err := netip.ParseAddr(last); err == nil {
		return peerOf(a)
	}
	if a := addressOf(last); a.IsValid() {
		return peerOf(a)
	}
	return peerOf(from)
}

// Package safedial decides which addresses a connection may be made to. Whoever
// can choose a URL that this server calls, or the DNS answer behind it, could
// otherwise reach what only this server reaches: a cloud's metadata, an admin
// port on the loopback interface, a neighbour in the private network
// (server-side request forgery, CWE-918).
//
// It owns the list of addresses that are nobody's public server, and judges an
// address after names were resolved, at the moment of the connection, so that no
// second DNS answer can slip in between; and which URLs are safe from who listens
// in between. It must not know who calls whom. A proxy would resolve
// names in its place: clients that rely on it must not use one.
package safedial

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"syscall"
	"time"
)

// Guard judges addresses. The zero value lets only public ones pass. It is not
// changed after New and safe for concurrent use.
type Guard struct {
	allow []netip.Prefix
}

// New returns a Guard that lets these addresses pass, too, whatever they are.
func New(allow []netip.Prefix) Guard { return Guard{allow: slices.Clone(allow)} }

// ParseAllowed reads an entry of an allow-list: an address or a prefix in CIDR
// notation. A prefix with bits beyond its length is refused, since nobody could
// tell which of the two was meant, and so are IPv4-mapped IPv6 addresses, which
// are judged as the IPv4 ones that they are.
func ParseAllowed(s string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(s)
	if err != nil {
		a, err := netip.ParseAddr(s)
		if err != nil || a.Zone() != "" {
			return netip.Prefix{}, fmt.Errorf("%q is neither an address nor a prefix such as 10.1.0.0/16", s)
		}
		p = netip.PrefixFrom(a, a.BitLen())
	}
	switch {
	case p.Addr().Is4In6():
		return netip.Prefix{}, fmt.Errorf("%q is an IPv4 address in IPv6 form: write it as IPv4", s)
	case p != p.Masked():
		return netip.Prefix{}, fmt.Errorf("%q has bits beyond its length: did you mean %s?", s, p.Masked())
	}
	return p, nil
}

// ForbiddenError says that an address was refused.
type ForbiddenError struct {
	Addr netip.Addr
}

func (e *ForbiddenError) Error() string {
	return fmt.Sprintf("connections to %s are refused: it is not a public address; allow it in the configuration if it is meant", e.Addr)
}

// Check returns a *ForbiddenError unless a connection to a may be made. An IPv4
// address inside an IPv6 one (mapped, or translated by the well-known NAT64
// prefix of RFC 6052) is judged as what it is: the packets end there.
func (g Guard) Check(a netip.Addr) error {
	a = a.Unmap().WithZone("")
	if slices.ContainsFunc(g.allow, func(p netip.Prefix) bool { return p.Contains(a) }) {
		return nil
	}
	if nat64.Contains(a) {
		b := a.As16()
		return g.Check(netip.AddrFrom4([4]byte(b[12:])))
	}
	if !a.IsValid() || slices.ContainsFunc(refused, func(p netip.Prefix) bool { return p.Contains(a) }) {
		return &ForbiddenError{a}
	}
	if a.Is6() && !globalUnicast.Contains(a) {
		return &ForbiddenError{a}
	}
	return nil
}

// Control is for net.Dialer.Control: it is called with the resolved address
// before the connection is made.
func (g Guard) Control(network, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("connections to networks of kind %q are refused", network)
	}
	return g.Check(to.Addr())
}

// Dialer returns a dialer that makes only connections which the guard allows.
func (g Guard) Dialer(timeout time.Duration) *net.Dialer {
	return &net.Dialer{Timeout: timeout, Control: g.Control}
}

var (
	// nat64 is the well-known prefix of RFC 6052; what a translator reaches
	// under it is the IPv4 address in its last four bytes.
	nat64 = netip.MustParsePrefix("64:ff9b::/96")
	// globalUnicast is all that IANA has given out for public IPv6 hosts;
	// loopback, link-local, unique local, site-local, multicast, IPv4-compatible
	// and locally translated addresses lie outside.
	globalUnicast = netip.MustParsePrefix("2000::/3")
)

// refused are the networks with no public server in them, from the IANA
// registries of special-purpose addresses (RFC 6890), as of 2026-11.
var refused = prefixes(
	"0.0.0.0/8",        // this network; 0.0.0.0 reaches the loopback interface
	"10.0.0.0/8",       // private
	"100.64.0.0/10",    // shared with a carrier; some clouds' metadata
	"127.0.0.0/8",      // loopback
	"168.63.129.16/32", // Azure's host, public in form only
	"169.254.0.0/16",   // link-local; most clouds' metadata
	"172.16.0.0/12",    // private
	"192.0.0.0/24",     // protocol assignments
	"192.0.2.0/24",     // documentation
	"192.88.99.0/24",   // 6to4 relays
	"192.168.0.0/16",   // private
	"198.18.0.0/15",    // benchmarking
	"198.51.100.0/24",  // documentation
	"203.0.113.0/24",   // documentation
	"224.0.0.0/4",      // multicast
	"240.0.0.0/4",      // reserved, broadcast
	"2001::/23",        // protocol assignments, Teredo: an IPv4 address inside
	"2001:db8::/32",    // documentation
	"2002::/16",        // 6to4: an IPv4 address inside
	"3fff::/20",        // documentation
)

func prefixes(texts ...string) []netip.Prefix {
	var all []netip.Prefix
	for _, t := range texts {
		all = append(all, netip.MustParsePrefix(t))
	}
	return all
}

// Secure returns an error unless nobody between can read what is sent to u, or
// answer in its server's place: it is https, or this very machine.
func Secure(u *url.URL) error {
	addr, err := netip.ParseAddr(u.Hostname())
	if u.Scheme == "https" || u.Scheme == "http" && (u.Hostname() == "localhost" || err == nil && addr.IsLoopback()) {
		return nil
	}
	return errors.New("only https is secure (http on the loopback interface, for development)")
}

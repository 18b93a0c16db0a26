// These tests prove that a connection is made to public addresses and allowed
// ones only, in whichever form the address comes and whatever name led to it.
package safedial_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/jithook/jithook/internal/safedial"
)

func TestAddresses(t *testing.T) {
	var allowed []netip.Prefix
	for _, text := range []string{"10.1.0.0/16", "fe80:1::/32"} {
		p, err := safedial.ParseAllowed(text)
		if err != nil {
			t.Fatal(err)
		}
		allowed = append(allowed, p)
	}
	g := safedial.New(allowed)
	for address, ok := range map[string]bool{
		"93.184.216.34":            true,
		"2606:4700:4700::1111":     true,
		"10.1.2.3":                 true, // on the list
		"::ffff:10.1.2.3":          true,
		"64:ff9b::5db8:d822":       true, // NAT64 of 93.184.216.34
		"64:ff9b::10.1.2.3":        true,
		"fe80:1::1%eth0":           true,
		"10.2.0.1":                 false,
		"::ffff:10.2.0.1":          false,
		"127.0.0.1":                false,
		"127.255.255.254":          false,
		"::ffff:127.0.0.1":         false,
		"::ffff:7f00:1":            false,
		"::127.0.0.1":              false, // IPv4-compatible
		"::1":                      false,
		"::":                       false,
		"0.0.0.0":                  false,
		"0.1.2.3":                  false,
		"169.254.169.254":          false,
		"::ffff:169.254.169.254":   false,
		"64:ff9b::169.254.169.254": false,
		"64:ff9b:1::a9fe:a9fe":     false,
		"2002:a9fe:a9fe::1":        false,
		"2001:0:53aa:64c::1":       false, // Teredo
		"fd00:ec2::254":            false,
		"168.63.129.16":            false,
		"100.64.0.1":               false,
		"100.100.100.200":          false,
		"100.128.0.1":              true,
		"172.16.0.1":               false,
		"172.32.0.1":               true,
		"192.168.1.1":              false,
		"192.0.0.192":              false,
		"198.19.255.255":           false,
		"224.0.0.1":                false,
		"255.255.255.255":          false,
		"fe80::1":                  false,
		"fe80::1%eth0":             false,
		"fec0::1":                  false,
		"ff02::1":                  false,
		"2001:db8::1":              false,
		"3fff::1":                  false,
		"100::1":                   false,
		"5f00::1":                  false,
	} {
		t.Run(address, func(t *testing.T) {
			err := g.Check(netip.MustParseAddr(address))
			var forbidden *safedial.ForbiddenError
			if ok != (err == nil) || err != nil && !errors.As(err, &forbidden) {
				t.Errorf("got %v", err)
			}
		})
	}
	if err := g.Check(netip.Addr{}); err == nil {
		t.Error("no address at all passed")
	}
}

func TestAllowedEntries(t *testing.T) {
	for text, want := range map[string]string{
		"127.0.0.1":            "127.0.0.1/32",
		"::1":                  "::1/128",
		"10.0.0.0/8":           "10.0.0.0/8",
		"fd00::/8":             "fd00::/8",
		"10.0.0.1/8":           "",
		"localhost":            "",
		"fe80::1%eth0":         "",
		"::ffff:10.0.0.0/104":  "",
		"::ffff:10.0.0.1":      "",
		"":                     "",
		"10.0.0.0/33":          "",
		"https://127.0.0.1/32": "",
	} {
		p, err := safedial.ParseAllowed(text)
		if (err == nil) != (want != "") || err == nil && p.String() != want {
			t.Errorf("%q: %v, %v", text, p, err)
		}
	}
}

// TestDial makes real connections: by address, and by a name, whose address is
// known only once it is resolved.
func TestDial(t *testing.T) {
	reached := 0
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached++ }))
	defer server.Close()
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	loopback := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	for name, c := range map[string]struct {
		guard safedial.Guard
		host  string
		ok    bool
	}{
		"refused by address": {safedial.Guard{}, "127.0.0.1", false},
		"refused by name":    {safedial.Guard{}, "localhost", false},
		"mapped":             {safedial.Guard{}, "::ffff:127.0.0.1", false},
		"unspecified":        {safedial.Guard{}, "0.0.0.0", false},
		"allowed by address": {safedial.New(loopback), "127.0.0.1", true},
		"allowed by name":    {safedial.New(loopback), "localhost", true},
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := c.guard.Dialer(5*time.Second).DialContext(context.Background(), "tcp", net.JoinHostPort(c.host, port))
			if conn != nil {
				conn.Close()
			}
			var forbidden *safedial.ForbiddenError
			if c.ok != (err == nil) || err != nil && !errors.As(err, &forbidden) {
				t.Errorf("got %v", err)
			}
		})
	}
	if _, err := (safedial.Guard{}).Dialer(time.Second).DialContext(context.Background(), "unix", "/nowhere/socket"); err == nil || reached != 0 {
		t.Errorf("a socket: %v; %d requests", err, reached)
	}
}

// This test proves that a connection which has died unnoticed does not keep a
// target's deliveries waiting: requests of HTTP/2 share one, and TCP would give it
// up after a quarter of an hour.
package outbound_test

import (
	"context"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jithook/jithook/internal/safedial"
	"github.com/jithook/jithook/outbound"
)

// path is a way to a server that swallows, once lost, what goes over the connections
// that there are; new ones are as good as ever.
type path struct {
	net.Listener
	made atomic.Int64
	lost atomic.Int64 // connections up to this one
}

func (p *path) lead(to string) {
	for {
		from, err := p.Accept()
		if err != nil {
			return
		}
		behind, err := net.Dial("tcp", to)
		if err != nil {
			from.Close()
			return
		}
		number := p.made.Add(1)
		carry := func(a, b net.Conn) {
			defer a.Close()
			defer b.Close()
			_, _ = io.Copy(passing(func(data []byte) (int, error) {
				if number <= p.lost.Load() {
					return len(data), nil
				}
				return a.Write(data)
			}), b)
		}
		go carry(behind, from)
		go carry(from, behind)
	}
}

type passing func([]byte) (int, error)

func (p passing) Write(data []byte) (int, error) { return p(data) }

func TestLostConnection(t *testing.T) {
	target := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Proto) }))
	target.EnableHTTP2 = true
	target.StartTLS()
	t.Cleanup(target.Close)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	way := &path{Listener: l}
	t.Cleanup(func() { l.Close() })
	go way.lead(target.Listener.Addr().String())

	client := outbound.NewHTTP(safedial.New([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}))
	transport := client.Transport.(*http.Transport)
	t.Cleanup(transport.CloseIdleConnections)
	transport.TLSClientConfig.RootCAs = x509.NewCertPool()
	transport.TLSClientConfig.RootCAs.AddCert(target.Certificate())
	if transport.HTTP2 == nil || transport.HTTP2.SendPingTimeout <= 0 || transport.HTTP2.PingTimeout <= 0 {
		t.Fatal("nobody asks whether the other end is there")
	}
	if noticed := transport.HTTP2.SendPingTimeout + transport.HTTP2.PingTimeout; noticed >= outbound.DefaultTimeout {
		t.Errorf("noticed after %s: a second delivery fails, too", noticed)
	}
	transport.HTTP2.SendPingTimeout /= 20
	transport.HTTP2.PingTimeout /= 20
	ask := func() (string, error) {
		ctx, cancel := context.WithTimeout(t.Context(), outbound.DefaultTimeout/10)
		defer cancel()
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+l.Addr().String(), nil)
		if err != nil {
			return "", err
		}
		answer, err := client.Do(r)
		if err != nil {
			return "", err
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		return string(body), err
	}
	if proto, err := ask(); err != nil || proto != "HTTP/2.0" {
		t.Fatalf("%q, %v", proto, err)
	}
	way.lost.Store(way.made.Load())
	began := time.Now()
	if _, err := ask(); err == nil {
		t.Fatal("the way is not lost")
	}
	proto, err := ask()
	if err != nil || proto != "HTTP/2.0" {
		t.Errorf("after %s still none of the new connection's: %q, %v", time.Since(began), proto, err)
	}
}

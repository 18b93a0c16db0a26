//go:build unix

// Package faultproxy stands between MongoDB's driver and a server and breaks what
// a test tells it to: single commands are delayed, lost, done without a reply or
// answered in the server's place; the whole server is down for a while. It owns
// the protocol as far as that takes; it must not know what the commands mean.
package faultproxy

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
	"testing"
	"time"
)

// dialLimit bounds how long the proxy waits for the server.
const dialLimit = 10 * time.Second

// Proxy is a running proxy. Its methods may be called at any time from anywhere.
type Proxy struct {
	// URI leads a client through the proxy, and only there: directConnection
	// keeps the driver from going to the members of a replica set by itself.
	// It holds the password that the server's URI holds.
	URI string

	server string // host:port
	tls    *tls.Config
	listen net.Listener
	ctx    context.Context // of the proxy's life; ends delays
	stop   context.CancelFunc
	wg     sync.WaitGroup

	mu    sync.Mutex
	down  bool
	ended bool
	links map[*link]struct{}
	rules []*Rule
	seen  *[]string // what a watcher collects; nil if nobody does
	odd   []error   // what a proxy of this kind cannot handle
}

// Start starts a proxy in front of the server at uri; it ends with the test. A
// message that the proxy cannot read fails the test at its end.
func Start(t testing.TB, uri string) *Proxy {
	t.Helper()
	server, err := lookUp(t.Context(), uri)
	if err != nil {
		t.Fatal(err)
	}
	listen, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("fault proxy: %v", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	p := &Proxy{URI: through(uri, listen.Addr().String()), server: server.addr, tls: server.tls,
		listen: listen, ctx: ctx, stop: stop, links: map[*link]struct{}{}}
	p.wg.Go(p.accept)
	t.Cleanup(func() {
		p.close()
		for _, err := range p.odd {
			t.Errorf("fault proxy: %v", err)
		}
	})
	return p
}

// Down makes the server unreachable: every connection is cut, and new ones are
// closed as soon as they are made.
func (p *Proxy) Down() {
	p.mu.Lock()
	p.down = true
	p.mu.Unlock()
	p.Cut()
}

// Up ends Down.
func (p *Proxy) Up() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = false
}

// Cut closes every connection that is open now. What was forwarded is not undone.
func (p *Proxy) Cut() {
	for _, l := range p.open() {
		l.cut()
	}
}

// Heal removes all rules. Commands that a rule already holds stay as they are.
func (p *Proxy) Heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rules = nil
}

// On sets a rule. Rules are asked in the order in which they were set, and the
// first whose turn it is decides; each counts the commands that it matches from
// now on, over all connections.
func (p *Proxy) On(m Match, f Fault) *Rule {
	r := &Rule{match: m, fault: f, arrived: make(chan struct{}), served: make(chan struct{})}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rules = append(p.rules, r)
	return r
}

// Watch notes from now on every command that comes from a client and is about a
// collection, as "insert identities", whatever becomes of it. The function that
// it returns ends that and returns them in their order.
func (p *Proxy) Watch() (stop func() []string) {
	seen := new([]string)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen = seen
	return func() []string {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.seen = nil
		return *seen
	}
}

// ruleFor counts a command in every rule and returns the one whose turn it is, or
// nil.
func (p *Proxy) ruleFor(c command) *Rule {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.seen != nil && c.collection != "" {
		*p.seen = append(*p.seen, c.name+" "+c.collection)
	}
	var first *Rule
	for _, r := range p.rules {
		if r.due(c) && first == nil {
			first = r
		}
	}
	if first != nil {
		first.arrivedOnce.Do(func() { close(first.arrived) })
	}
	return first
}

func (p *Proxy) accept() {
	for {
		client, err := p.listen.Accept()
		if err != nil {
			return // closed
		}
		l := &link{proxy: p, client: client, pending: map[int32]pending{}, settled: make(chan struct{}, 1)}
		if !p.admit(l) {
			_ = client.Close()
			continue
		}
		p.wg.Go(l.run)
	}
}

// admit adds a connection, unless the server is to look down.
func (p *Proxy) admit(l *link) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.down || p.ended {
		return false
	}
	p.links[l] = struct{}{}
	return true
}

func (p *Proxy) forget(l *link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.links, l)
}

func (p *Proxy) open() []*link {
	p.mu.Lock()
	defer p.mu.Unlock()
	var links []*link
	for l := range p.links {
		links = append(links, l)
	}
	return links
}

// report keeps what would otherwise look like a fault of the test's own.
func (p *Proxy) report(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.odd = append(p.odd, err)
}

// dial connects to the server.
func (p *Proxy) dial() (net.Conn, error) {
	ctx, cancel := context.WithTimeout(p.ctx, dialLimit)
	defer cancel()
	if p.tls != nil {
		return (&tls.Dialer{Config: p.tls}).DialContext(ctx, "tcp", p.server)
	}
	return (&net.Dialer{}).DialContext(ctx, "tcp", p.server)
}

// wait returns after d, or false when the proxy ends before.
func (p *Proxy) wait(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-p.ctx.Done():
		return false
	}
}

func (p *Proxy) close() {
	p.mu.Lock()
	p.ended = true
	p.mu.Unlock()
	p.stop()
	_ = p.listen.Close()
	p.Cut()
	p.wg.Wait()
}

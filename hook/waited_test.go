//go:build linux

package hook_test

// These tests prove that a server that has let requests wait for long says so to who
// comes late, without looking at the request, and to nobody else.

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/jithook/jithook/hook"
	"github.com/jithook/jithook/identity"
)

// TestWaited: requests that came before anybody served them have waited in the kernel.
// The first of them are looked at: they may be a burst. Of a queue that stands, the
// others are not, until one comes that does not wait, or none for a while. How long it
// stands is by a clock that goes on with each request.
func TestWaited(t *testing.T) {
	for name, c := range map[string]struct {
		requests int
		each     time.Duration // by the server's clock
		shed     int
		unseen   bool // the server's connections are not known
		before   map[int]string
	}{
		"a queue that stands":          {requests: 100, each: 10 * time.Millisecond, shed: 36},
		"few":                          {requests: 64, each: 10 * time.Millisecond},
		"a machine that stood still":   {requests: 100, each: time.Millisecond},
		"connections that nobody saw":  {requests: 100, each: 10 * time.Millisecond, unseen: true},
		"one that does not wait":       {requests: 100, each: 10 * time.Millisecond, before: map[int]string{60: "prompt"}},
		"one that ends the queue":      {requests: 100, each: 10 * time.Millisecond, shed: 16, before: map[int]string{80: "prompt"}},
		"none for a while":             {requests: 100, each: 10 * time.Millisecond, before: map[int]string{60: "quiet"}},
		"none for a while, of a queue": {requests: 100, each: 10 * time.Millisecond, shed: 16, before: map[int]string{80: "quiet"}},
	} {
		t.Run(name, func(t *testing.T) {
			clock := time.Now()
			e, o, shed, log := crowded(t, hook.MaxUnderWay, func() time.Time { return clock })
			g := hook.Group(e, o, "/hooks", hook.EndpointLogin, func(c echo.Context, code identity.Code) error { return c.String(599, string(code)) })
			looked := 0
			g.POST("/login", func(c echo.Context) error { looked++; return c.NoContent(http.StatusNoContent) })
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			conns := make([]net.Conn, c.requests)
			for n := range conns {
				if conns[n], err = net.Dial("tcp", l.Addr().String()); err != nil {
					t.Fatal(err)
				}
				defer conns[n].Close()
				knockAt(t, conns[n])
			}
			time.Sleep(hook.MaxWait + 50*time.Millisecond) // what they wait is what is tested
			one, n := make(chan struct{}, 1), 0
			serial := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { // so that looked can be counted
				one <- struct{}{}
				defer func() { <-one }()
				clock = clock.Add(c.each)
				switch c.before[n] {
				case "prompt":
					knock(e, "/hooks/login", "key") // by no connection: it has not waited
					looked--
				case "quiet":
					clock = clock.Add(time.Second)
				}
				n++
				e.ServeHTTP(w, r)
			})
			s := &http.Server{Handler: serial, ConnContext: hook.WithConn, ReadHeaderTimeout: time.Minute}
			if c.unseen {
				s.ConnContext = func(ctx context.Context, _ net.Conn) context.Context { return ctx }
			}
			go func() { _ = s.Serve(l) }()
			defer s.Close()
			late := 0
			for _, conn := range conns {
				if heard(t, conn) == 599 {
					late++
				}
			}
			if late != c.shed || late != *shed || looked != c.requests-late {
				t.Errorf("of %d requests %d were looked at, %d told that it is too late, %d counted; want %d", c.requests, looked, late, *shed, c.shed)
			}
			if strings.Contains(log.String(), "requests wait too long before they are read") != (c.shed > 0) {
				t.Errorf("log %s", log)
			}
		})
	}
}

func knockAt(t *testing.T, c net.Conn) {
	t.Helper()
	if _, err := fmt.Fprint(c, "POST /hooks/login HTTP/1.1\r\nHost: test\r\nX-API-Key: key\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"); err != nil {
		t.Fatal(err)
	}
}

func heard(t *testing.T, c net.Conn) int {
	t.Helper()
	reply, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	return reply.StatusCode
}

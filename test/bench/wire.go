//go:build linux

package bench

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/jithook/jithook/test/server"
)

// wire calls one server by connections of its own, with as little work as that
// takes: a caller that is slower than whom it calls could not overload it.
type wire struct {
	address, path string
	idle          chan *line
}

// line is one connection.
type line struct {
	net.Conn
	in *bufio.Reader
}

// newWire closes its connections with the test.
func newWire(t testing.TB, address string) *wire {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{u.Host, u.Path, make(chan *line, mostWaiting)}
	t.Cleanup(func() {
		for {
			select {
			case l := <-w.idle:
				_ = l.Close() // every answer has been read
			default:
				return
			}
		}
	})
	return w
}

// login is the client's, by a connection that is idle, or a new one.
func (w *wire) login(provider string, person int64) Answer {
	body := request(provider, person)
	head := fmt.Appendf(make([]byte, 0, 256+len(body)),
		"POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nX-Api-Key: %s\r\nContent-Length: %d\r\n\r\n", w.path, w.address, server.Secret, len(body))
	var l *line
	select {
	case l = <-w.idle:
	default:
		c, err := net.DialTimeout("tcp", w.address, patience)
		if err != nil {
			return Bad
		}
		l = &line{c, bufio.NewReader(c)}
	}
	a, err := l.ask(append(head, body...))
	if err != nil {
		_ = l.Close() // whatever is wrong with it
		return Bad
	}
	select {
	case w.idle <- l:
	default:
		_ = l.Close() // one more than there are places
	}
	return a
}

func (l *line) ask(message []byte) (Answer, error) {
	if err := l.SetDeadline(time.Now().Add(patience)); err != nil {
		return Bad, err
	}
	if _, err := l.Write(message); err != nil {
		return Bad, err
	}
	reply, err := http.ReadResponse(l.in, nil)
	if err != nil {
		return Bad, err
	}
	defer reply.Body.Close()
	if _, err := io.Copy(io.Discard, reply.Body); err != nil {
		return Bad, err
	}
	return judge(reply, http.StatusOK), nil
}

// apart is a program that runs the binary on the last processor only, where the
// machine has several.
func apart(t testing.TB, binary string) string {
	t.Helper()
	where, err := exec.LookPath("taskset")
	if err != nil {
		t.Skip("needs taskset (util-linux)")
	}
	path := filepath.Join(t.TempDir(), "apart")
	script := fmt.Sprintf("#!/bin/sh\nexec %s -c \"$(($(nproc) - 1))\" %s \"$@\"\n", where, binary)
	if err := os.WriteFile(path, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

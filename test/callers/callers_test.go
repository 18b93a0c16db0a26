//go:build linux

// Package callers_test proves on the running server what strangers cost: the
// memory that their bodies take, how long a slow one is waited for, and (as a
// benchmark) what a good caller notices of bad ones.
package callers_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/jithook/jithook/test/server"
)

const acme = `
version: 1
provider: acme
issuer: https://acme.example
jit: {enabled: true}
traits: {name: {value: claims.name}}
`

const login = `{"version":1,"provider":"acme","subject":"s-1","claims":{"name":"Ann"}}`

func start(t testing.TB) *server.Server {
	t.Helper()
	s := server.Start(t, server.Config{
		Binary:    server.Build(t),
		Store:     map[string]any{"bolt": map[string]any{"path": filepath.Join(t.TempDir(), "jithook.db")}},
		Providers: map[string]string{"acme.yaml": acme},
	})
	s.AwaitReady(t)
	return s
}

// head is the beginning of a request to the generic hook with these headers.
func head(headers ...string) string {
	return "POST /hooks/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" +
		strings.Join(append(headers, ""), "\r\n") + "\r\n"
}

const limit = 30 * time.Second

func dial(t testing.TB, s *server.Server) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(s.Hooks, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(limit)); err != nil {
		t.Fatal(err)
	}
	return c
}

// pour sends a request, then the body until it ends or the server hangs up, and
// returns the status of the answer; 0 if there is none.
func pour(t testing.TB, s *server.Server, head string, body io.Reader) int {
	c := dial(t, s)
	defer c.Close()
	go func() {
		if _, err := io.WriteString(c, head); err == nil {
			_, _ = io.Copy(c, body) // ends when the server hangs up
		}
	}()
	reply, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0
	}
	defer reply.Body.Close()
	return reply.StatusCode
}

// zeros are so many bytes.
func zeros(n int64) io.Reader { return io.LimitReader(endless{}, n) }

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// chunked is a body in chunks of 64 KiB.
func chunked(body io.Reader) io.Reader {
	r, w := io.Pipe()
	go func() {
		buffer := make([]byte, 64<<10)
		for {
			n, err := io.ReadFull(body, buffer)
			if n > 0 {
				if _, err := fmt.Fprintf(w, "%x\r\n%s\r\n", n, buffer[:n]); err != nil {
					return
				}
			}
			if err != nil {
				_, _ = io.WriteString(w, "0\r\n\r\n")
				w.Close()
				return
			}
		}
	}()
	return r
}

// bomb is a body of half a gigabyte, compressed to half a megabyte.
func bomb(t testing.TB) []byte {
	t.Helper()
	const members = 64
	var member bytes.Buffer
	w := gzip.NewWriter(&member)
	if _, err := io.Copy(w, zeros(512<<20/members)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return bytes.Repeat(member.Bytes(), members) // RFC 1952, 2.2: a file may have several
}

// memory returns a line of the process's status, in bytes.
func memory(t testing.TB, s *server.Server, line string) int64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.Process.Pid()))
	if err != nil {
		t.Fatal(err)
	}
	for l := range strings.Lines(string(status)) {
		var kib int64
		if n, _ := fmt.Sscanf(l, line+": %d kB", &kib); n == 1 {
			return kib << 10
		}
	}
	t.Fatalf("no %s", line)
	return 0
}

// TestS13_MemoryIsFlat: gigabytes that come with a length, in chunks or
// compressed, from callers with and without a credential, are refused early, and
// the server never needs much more memory than before.
func TestS13_MemoryIsFlat(t *testing.T) {
	t.Parallel()
	const gigabyte, rounds, atOnce = 1 << 30, 10, 8
	s := start(t)
	key, squeezed := "X-API-Key: "+server.Secret, bomb(t)
	signature := fmt.Sprintf("webhook-id: m-1\r\nwebhook-timestamp: %d\r\nwebhook-signature: v1,%s=", time.Now().Unix(), strings.Repeat("A", 43))
	attacks := []struct {
		name   string
		head   string
		body   func() io.Reader
		status int
	}{
		{"with a length", head(key, fmt.Sprint("Content-Length: ", gigabyte)), func() io.Reader { return zeros(gigabyte) }, 413},
		{"chunked", head(key, "Transfer-Encoding: chunked"), func() io.Reader { return chunked(zeros(gigabyte)) }, 413},
		{"signed, with a length", head(signature, fmt.Sprint("Content-Length: ", gigabyte)), func() io.Reader { return zeros(gigabyte) }, 413},
		{"signed, chunked", head(signature, "Transfer-Encoding: chunked"), func() io.Reader { return chunked(zeros(gigabyte)) }, 413},
		{"compressed", head(key, "Content-Encoding: gzip", fmt.Sprint("Content-Length: ", len(squeezed))), func() io.Reader { return bytes.NewReader(squeezed) }, 415},
		{"compressed, chunked", head(key, "Content-Encoding: gzip", "Transfer-Encoding: chunked"), func() io.Reader { return chunked(bytes.NewReader(squeezed)) }, 415},
		{"a header", head("X-Filler: " + strings.Repeat("a", 1<<20)), func() io.Reader { return http.NoBody }, 431},
	}
	for range 100 {
		if a := s.Post(t, "/hooks/login", map[string]any{"version": 1, "provider": "acme", "subject": "s-1", "claims": map[string]any{"name": "Ann"}}); a.Status != 200 {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
	}
	before := memory(t, s, "VmRSS")
	for _, a := range attacks {
		for range rounds {
			var all sync.WaitGroup
			for range atOnce {
				all.Go(func() {
					if status := pour(t, s, a.head, a.body()); status != a.status {
						t.Errorf("%s: status %d, want %d", a.name, status, a.status)
					}
				})
			}
			all.Wait()
		}
	}
	// Eight bodies of a megabyte at once are within the bounds; a gigabyte is not.
	const room = 96 << 20
	if peak := memory(t, s, "VmHWM"); peak > before+room {
		t.Errorf("%d MiB before, %d MiB at most", before>>20, peak>>20)
	} else {
		t.Logf("%d MiB before, %d MiB at most", before>>20, peak>>20)
	}
}

// TestS13_LargeBodiesOfStrangers: of those who claim to have signed a large body
// only some are read at a time; whoever has signed a small one is not kept waiting.
func TestS13_LargeBodiesOfStrangers(t *testing.T) {
	t.Parallel()
	const strangers, megabyte = 200, 1 << 20
	s := start(t)
	signature := fmt.Sprintf("webhook-id: m-1\r\nwebhook-timestamp: %d\r\nwebhook-signature: v1,%s=", time.Now().Unix(), strings.Repeat("A", 43))
	before := memory(t, s, "VmRSS")
	var all sync.WaitGroup
	for range strangers {
		all.Go(func() {
			// All but the last byte: each is held for as long as the server waits.
			if status := pour(t, s, head(signature, fmt.Sprint("Content-Length: ", megabyte)), zeros(megabyte-1)); status == 200 {
				t.Error("a stranger was let in")
			}
		})
	}
	if status := pour(t, s, signed(t, "m-2"), strings.NewReader(login)); status != 200 {
		t.Errorf("a good caller beside them got %d", status)
	}
	all.Wait()
	const room = 96 << 20
	if peak := memory(t, s, "VmHWM"); peak > before+room {
		t.Errorf("%d MiB before, %d MiB at most", before>>20, peak>>20)
	} else {
		t.Logf("%d MiB before, %d MiB at most", before>>20, peak>>20)
	}
}

// signed is the beginning of a request that signs login.
func signed(t testing.TB, id string) string {
	t.Helper()
	w, err := standardwebhooks.NewWebhook(server.WebhookSecret)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	signature, err := w.Sign(id, now, []byte(login))
	if err != nil {
		t.Fatal(err)
	}
	return head("webhook-id: "+id, fmt.Sprint("webhook-timestamp: ", now.Unix()), "webhook-signature: "+signature, fmt.Sprint("Content-Length: ", len(login)))
}

// TestSlowCallersAreCut: a header may take 5 s and a request 10 s.
func TestSlowCallersAreCut(t *testing.T) {
	t.Parallel()
	s := start(t)
	whole := head("X-API-Key: "+server.Secret, fmt.Sprint("Content-Length: ", len(login)))
	for name, sent := range map[string]string{
		"nothing": "", "half a header": whole[:len(whole)/2], "half a body": whole + login[:len(login)/2],
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := dial(t, s)
			if _, err := io.WriteString(c, sent); err != nil {
				t.Fatal(err)
			}
			// The server answers or hangs up long before this side's patience ends.
			answer, err := io.ReadAll(c)
			if err != nil {
				t.Errorf("the server waits: %v", err)
			}
			if strings.Contains(string(answer), " 200 ") {
				t.Errorf("answer %s", answer)
			}
		})
	}
}

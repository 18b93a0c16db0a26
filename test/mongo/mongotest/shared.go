//go:build unix

package mongotest

import (
	"fmt"
	"os"
	"sync"
	"testing"
)

// Shared is one server for all tests of a package: starting one takes seconds.
// It starts when the first test asks for it. The zero value is ready:
//
//	var peer mongotest.Shared
//
//	func TestMain(m *testing.M) { os.Exit(peer.Run(m)) }
//
//	func TestX(t *testing.T) { s := peer.Server(t); db := s.Database(t) … }
//
// Nobody kills or stops a shared server: use Start for that.
type Shared struct {
	once   sync.Once
	server *Server
	err    error
}

// Run runs the tests, then ends the server. Its result is for os.Exit.
func (s *Shared) Run(m *testing.M) int {
	code := m.Run()
	s.once.Do(func() {}) // from here on nobody starts it
	if s.server == nil {
		return code
	}
	if err := s.server.close(); err != nil {
		fmt.Fprintln(os.Stderr, "end the shared MongoDB server:", err)
		return 1
	}
	return code
}

// Server returns the server, or skips the test without peers, as Require does.
func (s *Shared) Server(t testing.TB) *Server {
	t.Helper()
	where := Require(t)
	s.once.Do(func() { s.server, s.err = open(where) })
	if s.err != nil {
		t.Fatal(s.err)
	}
	t.Logf("this test runs on %s", s.server.About)
	t.Cleanup(func() {
		if t.Failed() && s.server.peer != nil {
			t.Log(s.server.peer.logs())
		}
	})
	return s.server
}

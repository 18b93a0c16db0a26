//go:build unix

package threats_test

import (
	"bufio"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jithook/jithook/test/server"
)

// TestF15_EndWhileBothAreSlow: the server is asked to end while somebody sends it a
// request of each kind, and goes on for as long as they like. Neither port takes
// anybody more meanwhile: who would come now goes to another server, and is not cut
// off when the time of the slow one is over.
func TestF15_EndWhileBothAreSlow(t *testing.T) {
	s := server.Start(t, server.Config{
		Binary: server.Build(t), Store: object{"bolt": object{"path": filepath.Join(t.TempDir(), "jithook.db")}}, Providers: map[string]string{"acme.yaml": acme},
	})
	s.AwaitReady(t)
	hooks, admin := strings.TrimPrefix(s.Hooks, "http://"), strings.TrimPrefix(s.Admin, "http://")
	slow := []net.Conn{
		begin(t, hooks, "/hooks/login", "X-API-Key: "+server.Secret),
		begin(t, admin, "/admin/v1/store/import", "Authorization: Bearer "+server.Secret),
	}
	if err := s.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	await(t, "the end", func() bool { return strings.Contains(s.Log(t), "draining") })
	for name, address := range map[string]string{"hooks": hooks, "admin API": admin} {
		await(t, "the port of the "+name+" is closed", func() bool {
			c, err := net.Dial("tcp", address)
			if err == nil {
				c.Close()
			}
			return err != nil
		})
	}
	if s.Process.HasExited() {
		t.Error("it has not waited for who is slow")
	}
	for _, c := range slow {
		c.Close()
	}
	<-s.Process.Exited()
	if code := s.Process.State().ExitCode(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// begin sends a request as far as its body, which is waited for when it returns.
func begin(t *testing.T, address, path, credential string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: %s\r\n%s\r\nContent-Type: application/json\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n", path, address, credential)
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil || !strings.Contains(line, " 100 ") {
		t.Fatalf("%s answers %q, %v", path, line, err)
	}
	return c
}

// await waits for what comes about in far less than the server's drain.
func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

//go:build linux

package deploy_test

import (
	"bytes"
	"debug/elf"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestStatic: the program needs no loader and no library, of which an image from
// scratch has none.
func TestStatic(t *testing.T) {
	f, err := elf.Open(jithook(t))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			t.Error("it asks for a loader")
		}
	}
	if libraries, err := f.ImportedLibraries(); err != nil || len(libraries) > 0 {
		t.Errorf("it needs %q, %v", libraries, err)
	}
}

// patience is how long a server may take on a busy machine.
const patience = 30 * time.Second

// image makes a folder with what the Dockerfile copies and a configuration, and
// returns the ports that it names.
func image(t *testing.T, store, more string) (folder, hooks string) {
	t.Helper()
	folder = t.TempDir()
	for _, d := range []string{"data", "etc/ssl/certs", "etc/pki/tls/certs"} {
		if err := os.MkdirAll(folder+"/"+d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(jithook(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(folder+"/jithook", program, 0o755); err != nil {
		t.Fatal(err)
	}
	hooks = free(t)
	write(t, folder+"/etc/jithook/jithook.yaml", fmt.Sprintf(`listen: %s
admin: {listen: %s, token: env:ADMIN_TOKEN}
auth: {api_keys: [{name: portal, value: env:HOOK_KEY, endpoints: [login], providers: [acme]}]}
store: {bolt: {path: %s}}
providers: providers
%s`, hooks, free(t), store, more))
	write(t, folder+"/etc/jithook/providers/acme.yaml", read(t, dir+"/compose/providers/acme.yaml"))
	return folder, hooks
}

func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// contained is the program as a container runs it: this folder is all there is,
// read-only but for /data, which is in memory, and it is nobody, without any
// capability. It needs root, or user namespaces.
const contained = `set -e
mount --bind "$1" "$1"
mount -t tmpfs -o mode=0700,uid=$2,gid=$2 tmpfs "$1/data"
mount -o remount,bind,ro "$1"
cd "$1"
shift 2
exec "$@"`

func start(t *testing.T, folder string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	user, namespaces := "65532", []string{"--mount", "--propagation=private"}
	if os.Geteuid() != 0 {
		// Somebody else than root becomes root of a namespace with nobody else in it.
		user, namespaces = "0", append(namespaces, "--map-root-user")
	}
	args := append(namespaces, "bash", "-c", contained, "bash", folder, user, "chroot")
	if user != "0" {
		args = append(args, "--userspec="+user+":"+user) // and with it goes every capability
	}
	args = append(args, folder)
	args = append(args, "/jithook", "serve", "-c", "/etc/jithook/jithook.yaml")
	cmd := exec.Command("unshare", args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "ADMIN_TOKEN=a-token-of-the-test-of-the-image", "HOOK_KEY=a-key-of-the-test-of-the-image"}
	var log bytes.Buffer
	cmd.Stderr, cmd.Stdout = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return cmd, &log
}

// TestImage: in what the image has, and with no more rights, a login makes an
// account, a collector is told of it whose certificate an authority of one's own has
// signed, and SIGTERM ends it cleanly.
func TestImage(t *testing.T) {
	told := make(chan struct{}, 8)
	collector := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { told <- struct{}{} }))
	defer collector.Close()
	folder, hooks := image(t, "/data/jithook.db", "telemetry: {endpoint: "+collector.URL+"}\n")
	write(t, folder+"/etc/pki/tls/certs/own.crt", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: collector.Certificate().Raw})))
	cmd, log := start(t, folder)
	ready := time.Now().Add(patience)
	for {
		reply, err := http.Get("http://" + hooks + "/readyz")
		if err == nil {
			reply.Body.Close()
			if reply.StatusCode == http.StatusOK {
				break
			}
		}
		if time.Now().After(ready) {
			t.Fatalf("it is not ready: %v\n%s", err, log)
		}
		time.Sleep(20 * time.Millisecond)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		for _, want := range []string{"Uid:\t65532\t65532\t65532\t65532", "CapEff:\t0000000000000000"} {
			if !strings.Contains(string(status), want) {
				t.Errorf("no %q in\n%s", want, status)
			}
		}
	}
	r, err := http.NewRequest(http.MethodPost, "http://"+hooks+"/hooks/login", strings.NewReader(
		`{"version":1,"provider":"acme","subject":"s-1","claims":{"email":"ann@acme.example","email_verified":true}}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-API-Key", "a-key-of-the-test-of-the-image")
	reply, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	if body, _ := io.ReadAll(reply.Body); reply.StatusCode != http.StatusOK || !strings.Contains(string(body), `"decision":"created"`) {
		t.Errorf("%d %s", reply.StatusCode, body)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("SIGTERM: %v\n%s", err, log)
	}
	if len(told) == 0 {
		t.Errorf("the collector was told nothing:\n%s", log)
	}
}

// TestImageIsReadOnly: a store anywhere else cannot be made, and it says so.
func TestImageIsReadOnly(t *testing.T) {
	folder, _ := image(t, "/jithook.db", "")
	cmd, log := start(t, folder)
	if err := cmd.Wait(); err == nil || !strings.Contains(log.String(), "read-only file system") {
		t.Errorf("%v\n%s", err, log)
	}
}

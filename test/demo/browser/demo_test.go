//go:build unix

// These tests look at the demo as a person does, in a real Chromium: each kind of
// sign-in ends at the page that it should, which shows the identity and the
// decision's why, also to those who see little, on a phone or in the dark; the
// browser never holds the administrator's token, runs nothing that a provider
// says, and finds no fault; and Ctrl-C leaves nothing behind. They are a module
// of their own, since jithook needs no browser.
package browser_test

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	root  = "../../.."
	token = "the-admin-token-of-a-test-0001"
	// patience is for machines that do much beside this test.
	patience = 2 * time.Minute
)

// demo is the running program.
type demo struct {
	url     string
	servers map[string]string // by name, as it printed them
	dir     string            // of its data
	cmd     *exec.Cmd
	ended   chan error
}

// start builds the program that `make demo` runs, and returns once it has said
// where its page is.
func start(t *testing.T) *demo {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "demo")
	build := exec.Command("go", "build", "-o", binary, "./test/demo")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	d := &demo{cmd: exec.Command(binary), ended: make(chan error, 1), servers: map[string]string{}}
	d.cmd.Dir, d.cmd.Stderr = root, os.Stderr
	stdout, err := d.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := make(chan struct{})
	go func() {
		lines := bufio.NewScanner(stdout)
		for lines.Scan() {
			if name, value, ok := strings.Cut(strings.TrimSpace(lines.Text()), " "); ok {
				d.servers[name] = strings.TrimSpace(value)
			}
			if strings.HasPrefix(lines.Text(), "Ctrl-C") {
				close(said)
				break
			}
		}
		_, _ = io.Copy(io.Discard, stdout)
		d.ended <- d.cmd.Wait()
	}()
	t.Cleanup(func() { d.stop(t) })
	select {
	case <-said:
	case err := <-d.ended:
		d.ended <- err
		t.Fatalf("the demo ended: %v", err)
	case <-time.After(patience):
		t.Fatal("the demo does not start")
	}
	d.url, d.dir = strings.TrimSuffix(d.servers["Open"], "/"), d.servers["Data"]
	return d
}

// stop does what Ctrl-C does, and returns how the program ended.
func (d *demo) stop(t *testing.T) error {
	t.Helper()
	_ = d.cmd.Process.Signal(os.Interrupt)
	select {
	case err := <-d.ended:
		d.ended <- err
		return err
	case <-time.After(patience):
		_ = d.cmd.Process.Kill()
		t.Fatal("the demo does not stop")
		return nil
	}
}

func TestDemo(t *testing.T) {
	d := start(t)
	c := openChromium(t)
	t.Run("acme", func(t *testing.T) {
		b := c.tab(t, d)
		b.toProvider("ACME")
		b.pictures("provider")
		b.signIn("ACME", "Ann Archer", "Signed in")
		b.wantShown("name Ann Archer provider:acme", "email ann@acme.example provider:acme, verified",
			"Groups engineering, staff", "created at prepare", "set /traits/email")
		if strings.Contains(b.text("#shown"), "payroll-admins") {
			t.Error("a group that no rule lets through is shown")
		}
		b.pictures("signed-in")
	})
	t.Run("again, and out", func(t *testing.T) {
		b := c.tab(t, d)
		b.signIn("ACME", "Ann Archer", "Signed in")
		b.awaitText("#shown", "unchanged at login")
		b.click(`//a[.="Sign out"]`)
		b.await("Sign in")
		b.signIn("GLOBEX", "gina@", "Nearly there")
	})
	t.Run("globex, consent", func(t *testing.T) {
		b := c.tab(t, d)
		b.signIn("GLOBEX", "Gina Gold", "Nearly there")
		b.wantShown("no account is made before the answers are there", "prompt at prepare", "consent_required")
		b.click(`//input[@type="checkbox"]`)
		b.click(`//form//button`)
		b.await("Signed in")
		b.wantShown("terms_accepted true user", "Linked to globex as gina")
	})
	t.Run("acme, prompt", func(t *testing.T) {
		b := c.tab(t, d)
		b.signIn("ACME", "Ben Baker", "Nearly there")
		b.wantShown("prompt at prepare", "prompt_required")
		b.pictures("asked")
		b.write(`//input[@type="text"]`, "Ann") // hers
		b.click(`//form//button`)
		b.awaitText("#shown", "trait_taken")
		b.write(`//input[@type="text"]`, "Ben")
		b.click(`//form//button`)
		b.await("Signed in")
		b.wantShown("username ben user", "Linked to acme as ben")
	})
	t.Run("denied by a rule", func(t *testing.T) {
		b := c.tab(t, d)
		b.signIn("ACME", "Gus Guest", "Not signed in")
		if got := b.text("#doing [role=alert]"); got != "Guests have no account here. Ask your host at ACME." {
			t.Errorf("the message is %q", got)
		}
		b.wantShown("Nothing: no account, and no session.", "denied at prepare", "acme.yaml:", "{when: 'has(claims.acct)")
		b.pictures("denied")
		b.click(`//a[.="Sign in as somebody else"]`)
		b.await("Sign in")
		b.pictures("start")
	})
	t.Run("an address that is taken", func(t *testing.T) {
		b := c.tab(t, d)
		b.signIn("GLOBEX", "Ivan Impostor", "Nearly there")
		b.click(`//input[@type="checkbox"]`)
		b.click(`//form//button`)
		b.await("Not signed in")
		if got := b.text("#doing [role=alert]"); got != "A detail of your account is already in use here. (/traits/email)" {
			t.Errorf("the message is %q", got)
		}
		b.wantShown("denied at prepare", "trait_taken")
		if strings.Contains(b.text("body"), "Ann Archer") {
			t.Error("the page names whose address it is")
		}
	})
	t.Run("a name that is markup", func(t *testing.T) {
		b := c.tab(t, d)
		b.signIn("GLOBEX", "mallory@", "Nearly there")
		b.click(`//input[@type="checkbox"]`)
		b.click(`//form//button`)
		b.await("Signed in")
		b.wantShown(`name <img src=x onerror="document.title='taken'"> provider:globex`)
		if images := evaluate[int](b, `document.images.length`); images != 0 || b.title() == "taken" {
			t.Errorf("%d images, title %q: a claim became markup", images, b.title())
		}
		told := evaluate[string](b, `fetch('/api/me').then((r) => r.text()).then((text) => text + document.documentElement.outerHTML + document.cookie)`)
		if !strings.Contains(told, "mallory") || strings.Contains(told, token) {
			t.Errorf("what the browser was told has the token, or nobody: %q", told)
		}
	})
	t.Run("others", func(t *testing.T) { strangers(t, d) })
	t.Run("ctrl-c", func(t *testing.T) {
		if err := d.stop(t); err != nil {
			t.Errorf("ended with %v", err)
		}
		if _, err := os.Stat(d.dir); d.dir == "" || !os.IsNotExist(err) {
			t.Errorf("its data is still in %q", d.dir)
		}
		for _, name := range []string{"Open", "Kratos", "jithook", "ACME", "GLOBEX"} {
			if reply, err := http.Get(d.servers[name]); err == nil {
				reply.Body.Close()
				t.Errorf("%s still answers at %s", name, d.servers[name])
			}
		}
	})
}

// strangers asks as no page of the demo does.
func strangers(t *testing.T, d *demo) {
	for name, tc := range map[string]struct {
		host, path string
		want       int
	}{
		"page":             {"", "/", http.StatusOK},
		"nobody":           {"", "/api/me", http.StatusNoContent},
		"another name":     {"evil.example", "/api/me", http.StatusMisdirectedRequest},
		"another endpoint": {"", "/api/flow/settings?id=x", http.StatusNotFound},
		"way out":          {"", "/api/decision/..%2Fidentities", http.StatusNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			r, err := http.NewRequestWithContext(ctx, http.MethodGet, d.url+tc.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			if tc.host != "" {
				r.Host = tc.host
			}
			reply, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer reply.Body.Close()
			if reply.StatusCode != tc.want {
				t.Errorf("status %d, want %d", reply.StatusCode, tc.want)
			}
			if policy := reply.Header.Get("Content-Security-Policy"); tc.host == "" && !strict.MatchString(policy) {
				t.Errorf("policy %q", policy)
			}
		})
	}
}

// strict is a policy that lets nothing run but the page's own files.
var strict = regexp.MustCompile(`^default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; ` +
	`frame-ancestors 'none'; form-action 'self'( http://(127\.0\.0\.1|localhost):\d+){3}$`)

func isRoot() bool { return syscall.Geteuid() == 0 }

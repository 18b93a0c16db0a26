//go:build unix

package kratostest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/jithook/jithook/test/process"
)

// The client that Kratos is at every provider of this package. Providers live
// as long as one test and listen on the loopback interface: the secret protects
// nothing, but it is kept out of logs like a real one.
const (
	clientID     = "kratos"
	clientSecret = "kratos-at-the-test-provider-0001"
)

// An OpenID provider says where it is within a second, or within some on a busy
// machine. Rarely a Node.js comes up and then stands still before its first line
// (seen once in some thousand starts, on a machine just woken): it is replaced.
const (
	providerStart  = 40 * time.Second
	providerStarts = 3
)

// ProviderOptions says what an OpenID provider can do.
type ProviderOptions struct {
	// Claims are the names of the claims that accounts may have, beside sub.
	// Nil stands for DefaultClaims.
	Claims []string
	// Title is for people: with one, the login page has it as its heading, and a
	// button for each account. Without, it is a bare form.
	Title string
}

// DefaultClaims returns the claim names of a provider without options.
func DefaultClaims() []string {
	return []string{"email", "email_verified", "name", "given_name", "family_name",
		"preferred_username", "nickname", "locale", "groups", "department", "title", "hd", "tid", "oid", "acct"}
}

// Provider is a running OpenID provider with a plain login form and no consent
// page. It signs with a key of its own, and puts all claims into the ID token.
type Provider struct {
	// Issuer is its issuer URL. The host is localhost while Kratos's is
	// 127.0.0.1: with one host its cookies would show up in what Kratos gets.
	Issuer string

	running *process.Process
}

// StartProvider starts an OpenID provider that ends with the test. A test that
// needs two issuers starts two.
func StartProvider(t testing.TB, opts ProviderOptions) *Provider {
	t.Helper()
	peers := Require(t)
	if opts.Claims == nil {
		opts.Claims = DefaultClaims()
	}
	dir := t.TempDir()
	script := prepareScript(t, peers, dir)
	options, err := json.Marshal(map[string]any{
		"client_id": clientID, "client_secret": clientSecret, "claims": opts.Claims, "title": opts.Title,
	})
	if err != nil {
		t.Fatalf("options of the OpenID provider: %v", err)
	}
	for attempt := 1; ; attempt++ {
		p, err := launchProvider(t, dir, script, string(options))
		switch {
		case err == nil:
			return p
		case errors.Is(err, errSilent) && attempt < providerStarts:
			t.Logf("OpenID provider: %v; starting another", err)
		default:
			t.Fatalf("OpenID provider: %v\n%s", err, p.running.LogTail())
		}
	}
}

// errSilent is that of a provider which runs and has not said where it is.
var errSilent = errors.New("nothing said")

// launchProvider starts a provider that ends with the test, or at once when it
// stays silent.
func launchProvider(t testing.TB, dir, script, options string) (*Provider, error) {
	t.Helper()
	cmd := exec.Command("node", script, options)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}
	stdout, w, err := os.Pipe()
	if err != nil {
		t.Fatalf("OpenID provider: %v", err)
	}
	cmd.Stdout = w
	p := &Provider{running: process.Start(t, "openid-provider", cmd, clientSecret)}
	_ = w.Close() // the child has its own descriptor; so reading ends with it
	p.Issuer, err = readIssuer(stdout, p.running)
	if errors.Is(err, errSilent) {
		p.Stop(t)
	}
	return p, err
}

// Stop ends the provider before the test does.
func (p *Provider) Stop(t testing.TB) {
	t.Helper()
	if err := p.running.Stop(); err != nil {
		t.Fatal(err)
	}
}

// prepareScript puts the provider's program beside its modules: Node looks for
// modules from the script's own folder upwards, and the cache holds modules only.
func prepareScript(t testing.TB, peers Peers, dir string) string {
	t.Helper()
	source, err := os.ReadFile(filepath.Join(peers.Source, "op", "op.mjs"))
	if err != nil {
		t.Fatalf("the OpenID provider's program: %v", err)
	}
	script := filepath.Join(dir, "op.mjs")
	if err := os.WriteFile(script, source, 0o600); err != nil {
		t.Fatalf("the OpenID provider's program: %v", err)
	}
	if err := os.Symlink(peers.OPModules, filepath.Join(dir, "node_modules")); err != nil {
		t.Fatalf("the OpenID provider's modules: %v", err)
	}
	return script
}

// readIssuer waits for the first line of the provider's output. It goes on
// reading afterwards, so that the provider can never block on a full pipe.
func readIssuer(stdout *os.File, p *process.Process) (string, error) {
	type answer struct {
		issuer string
		err    error
	}
	answers := make(chan answer, 1)
	go func() {
		lines := bufio.NewReader(stdout)
		line, err := lines.ReadBytes('\n')
		var hello struct {
			Issuer string `json:"issuer"`
		}
		if err == nil {
			err = json.Unmarshal(line, &hello)
		}
		answers <- answer{hello.Issuer, err}
		_, _ = io.Copy(io.Discard, lines)
		_ = stdout.Close()
	}()
	select {
	case a := <-answers:
		return a.issuer, a.err
	case <-p.Exited():
		return "", fmt.Errorf("ended early: %v", p.State())
	case <-time.After(providerStart):
		return "", fmt.Errorf("%w within %v, %s", errSilent, providerStart, p.Waits())
	}
}

// SetAccount sets the claims of a subject from its next sign-in on; the account
// is made if there is none. The claim sub is the subject, whatever claims says.
// A claim name that the provider was not started with fails the test: the
// provider would leave it out in silence.
func (p *Provider) SetAccount(t testing.TB, subject string, claims map[string]any) {
	t.Helper()
	body, err := json.Marshal(claims)
	if err != nil {
		t.Fatalf("claims of an account: %v", err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut,
		p.Issuer+"/_test/accounts/"+url.PathEscape(subject), bytes.NewReader(body))
	if err != nil {
		t.Fatalf("set an account: %v", err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatalf("set an account: %v", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
		t.Fatalf("set an account: status %d: %s", resp.StatusCode, text)
	}
}

// ForKratos returns the entry for Config.Providers that makes Kratos know this
// provider as id.
func (p *Provider) ForKratos(id string) OIDCProvider {
	return OIDCProvider{ID: id, Issuer: p.Issuer}
}

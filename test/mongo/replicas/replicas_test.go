//go:build unix

// Package replicas_test runs several `jithook serve` on one database and takes
// one away in the middle: whatever was acknowledged is there, nothing is there
// twice, and what was cut short the next login mends.
package replicas_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/jithook/jithook/admin"
	"github.com/jithook/jithook/test/mongo/mongotest"
	"github.com/jithook/jithook/test/process"
)

const secret = "a-secret-of-the-replicas-test"

var peer mongotest.Shared

func TestMain(m *testing.M) { os.Exit(peer.Run(m)) }

const acme = `
version: 1
provider: acme
issuer: https://acme.example
trust: {authoritative_domains: [acme.example]}
jit: {enabled: true}
traits:
  email: {value: claims.email, verified: "true", canonical: email, unique: true, required: true}
  name: {value: claims.name}
`

// replica is one server.
type replica struct {
	hooks, admin string
	process      *process.Process
}

// start runs a server on the database.
func start(t *testing.T, binary string, store map[string]any) replica {
	t.Helper()
	dir := t.TempDir()
	r := replica{hooks: free(t), admin: free(t)}
	config, err := json.Marshal(map[string]any{
		"listen": r.hooks, "admin": map[string]any{"listen": r.admin, "token": "env:SECRET"},
		"auth":  map[string]any{"api_keys": []any{map[string]any{"name": "app", "value": "env:SECRET", "endpoints": []string{"login"}, "providers": []string{"*"}}}},
		"store": map[string]any{"mongodb": store}, "providers": "providers",
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "providers"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"jithook.yaml": string(config), "providers/acme.yaml": acme} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(binary, "serve", "-c", filepath.Join(dir, "jithook.yaml"))
	cmd.Env = append(os.Environ(), "SECRET="+secret)
	r.process = process.Start(t, "jithook", cmd, secret)
	for until := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if reply, err := http.Get("http://" + r.hooks + "/readyz"); err == nil {
			reply.Body.Close()
			if reply.StatusCode == http.StatusOK {
				return r
			}
		}
		if time.Now().After(until) {
			t.Fatal("a replica does not get ready")
		}
	}
}

func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// answer is what a caller learns: the status, 0 if it heard nothing.
type answer struct {
	status   int
	decision string
	id       string
}

// login signs somebody in at a replica.
func (r replica) login(subject, name string) answer {
	body, err := json.Marshal(map[string]any{
		"version": 1, "provider": "acme", "subject": subject,
		"claims": map[string]any{"email": subject + "@acme.example", "name": name},
	})
	if err != nil {
		return answer{}
	}
	request, err := http.NewRequest(http.MethodPost, "http://"+r.hooks+"/hooks/login", bytes.NewReader(body))
	if err != nil {
		return answer{}
	}
	request.Header.Set("X-API-Key", secret)
	request.Header.Set("Content-Type", "application/json")
	reply, err := http.DefaultClient.Do(request)
	if err != nil {
		return answer{}
	}
	defer reply.Body.Close()
	var got struct {
		Decision string
		Identity struct{ ID string }
	}
	if err := json.NewDecoder(reply.Body).Decode(&got); err != nil {
		return answer{}
	}
	return answer{reply.StatusCode, got.Decision, got.Identity.ID}
}

// people are all identities, as a replica's admin API has them.
func (r replica) people(t *testing.T) map[string]admin.Identity {
	t.Helper()
	all := map[string]admin.Identity{}
	for token := ""; ; {
		request, err := http.NewRequest(http.MethodGet, "http://"+r.admin+"/admin/v1/identities?page_size=500&page_token="+token, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+secret)
		reply, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(reply.Body)
		reply.Body.Close()
		var page admin.Identities
		if err != nil || json.Unmarshal(text, &page) != nil {
			t.Fatalf("%v: %s", err, text)
		}
		for _, i := range page.Identities {
			subject := i.Links[0].Subject
			if other, twice := all[subject]; twice {
				t.Errorf("%s is there as %s and as %s", subject, other.ID, i.ID)
			}
			all[subject] = i
		}
		if token = page.NextPageToken; token == "" {
			return all
		}
	}
}

// TestOneReplicaDiesInTheMiddle: two servers, every subject at both at once,
// one of them killed with -9 while logins are under way.
func TestOneReplicaDiesInTheMiddle(t *testing.T) {
	server := peer.Server(t)
	binary := filepath.Join(t.TempDir(), "jithook")
	if out, err := exec.Command("go", "build", "-o", binary, "github.com/jithook/jithook/cmd/jithook").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	store := map[string]any{"uri": server.URI, "database": server.Database(t)}
	survivor, victim := start(t, binary, store), start(t, binary, store)

	const subjects = 60
	var mu sync.Mutex
	acknowledged := map[string]map[string]bool{} // subject → ids that somebody was told
	created := map[string]int{}
	var wg sync.WaitGroup
	slots := make(chan struct{}, 8)
	for n := range subjects {
		for _, r := range []replica{survivor, victim} {
			wg.Go(func() {
				slots <- struct{}{}
				defer func() { <-slots }()
				subject := fmt.Sprintf("s-%d", n)
				a := r.login(subject, "Ann")
				mu.Lock()
				defer mu.Unlock()
				if a.status != http.StatusOK {
					return // nobody was told anything: it may have happened or not
				}
				if acknowledged[subject] == nil {
					acknowledged[subject] = map[string]bool{}
				}
				acknowledged[subject][a.id] = true
				if a.decision == "created" {
					created[subject]++
				}
				if len(acknowledged) == subjects/3 {
					_ = victim.process.Kill() // it may be gone already
				}
			})
		}
	}
	wg.Wait()
	_ = victim.process.Kill() // it may be gone already

	people := survivor.people(t)
	for subject, ids := range acknowledged {
		if len(ids) != 1 || !ids[people[subject].ID] {
			t.Errorf("%s: told %v, there is %s", subject, ids, people[subject].ID)
		}
		if created[subject] > 1 {
			t.Errorf("%s was created %d times", subject, created[subject])
		}
	}
	if len(acknowledged) < subjects/3 {
		t.Errorf("only %d subjects were acknowledged", len(acknowledged))
	}
	for n := range subjects {
		subject := fmt.Sprintf("s-%d", n)
		before, was := people[subject]
		a := survivor.login(subject, "Ann")
		want := "created"
		if was {
			want = "unchanged"
		}
		if a.status != http.StatusOK || a.decision != want || was && a.id != before.ID {
			t.Errorf("%s afterwards: %+v, want %s", subject, a, want)
		}
	}
	if n := len(survivor.people(t)); n != subjects {
		t.Errorf("%d identities of %d subjects", n, subjects)
	}
}

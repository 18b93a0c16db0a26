//go:build unix

package scim_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jithook/jithook/test/scim/scimtest"
	"github.com/jithook/jithook/test/server"
)

// killsEnv says how often TestKilled kills the server; without it, a few times.
const killsEnv = "JITHOOK_TEST_KILLS"

// history is what a SCIM service was told of each person, by their name there.
type history struct {
	mu    sync.Mutex
	round map[string]int // the newest that was told
	back  []string
}

// note notes what a request tells; the title is a number that only grows.
func (h *history) note(r *http.Request, body []byte) {
	var sent struct {
		UserName, Title string
		Operations      []struct {
			Path  string
			Value any
		}
	}
	if json.Unmarshal(body, &sent) != nil {
		return
	}
	title := sent.Title
	for _, op := range sent.Operations {
		if op.Path == "title" {
			title = fmt.Sprint(op.Value)
		}
	}
	n, err := strconv.Atoi(title)
	if err != nil {
		return
	}
	who := r.URL.Path
	if r.Method == http.MethodPost {
		who = sent.UserName
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if n < h.round[who] {
		h.back = append(h.back, fmt.Sprintf("%s: %d after %d", who, n, h.round[who]))
	}
	h.round[who] = max(n, h.round[who])
}

// crowd signs people in, each by one caller at a time, and deletes some.
type crowd struct {
	mu      sync.Mutex
	last    map[string]int  // the newest round that was answered, by subject
	deleted map[string]bool // whose deletion was asked for
	ids     map[string]string
	next    atomic.Int64
}

// act does what one caller does until the server is gone.
func (c *crowd) act(t *testing.T, s *server.Server, caller, people int) {
	for !s.Process.HasExited() {
		person := rand.N(people)
		subject := fmt.Sprintf("s-%d-%d", caller, person)
		c.mu.Lock()
		gone, id := c.deleted[subject], c.ids[subject]
		c.mu.Unlock()
		if gone {
			continue
		}
		if id != "" && person%4 == 0 && rand.N(20) == 0 {
			c.mu.Lock()
			c.deleted[subject] = true
			c.mu.Unlock()
			s.Ask(t, http.MethodDelete, "/admin/v1/identities/"+id, nil)
			continue
		}
		n := int(c.next.Add(1))
		answer := s.Post(t, "/hooks/login", map[string]any{"version": 1, "provider": "acme", "subject": subject, "claims": map[string]any{
			"email": subject + "@acme.example", "title": strconv.Itoa(n), "groups": [][]string{{"eng"}, {"staff"}, {"eng", "staff"}, {}}[n%4],
		}})
		var out struct{ Identity struct{ ID string } }
		if answer.Status != http.StatusOK || json.Unmarshal(answer.Body, &out) != nil {
			continue // nobody knows whether it was written
		}
		c.mu.Lock()
		c.last[subject], c.ids[subject] = n, out.Identity.ID
		c.mu.Unlock()
	}
}

// TestKilled: the real program is killed at random moments, while people sign in,
// are deleted, and a SCIM service is told of them. In the end the service has
// what the store has: everybody once, no earlier state after a later one, and
// nobody open who was deleted.
func TestKilled(t *testing.T) {
	t.Parallel()
	kills := 4
	if text := os.Getenv(killsEnv); text != "" {
		var err error
		kills, err = strconv.Atoi(text)
		must(t, err)
	}
	const callers, people = 4, 25
	target := scimtest.New(t)
	told := &history{round: map[string]int{}}
	target.Saw = told.note
	binary, path := server.Build(t), filepath.Join(t.TempDir(), "j.db")
	start := func() *server.Server {
		return server.Start(t, server.Config{
			Binary: binary, Store: map[string]any{"bolt": map[string]any{"path": path}}, Providers: map[string]string{"acme.yaml": acme},
			Outbound: map[string]any{"hr": map[string]any{"scim": map[string]any{
				"url": target.URL, "auth": map[string]any{"bearer": scimtest.Token}, "groups": "create",
				"attributes": map[string]any{"userName": "identity.traits.email", "title": "identity.traits.title"},
			}}},
		})
	}
	c := &crowd{last: map[string]int{}, deleted: map[string]bool{}, ids: map[string]string{}}
	for range kills {
		s := start()
		var all sync.WaitGroup
		for caller := range callers {
			all.Go(func() { c.act(t, s, caller, people) })
		}
		time.Sleep(rand.N(400 * time.Millisecond))
		must(t, s.Process.Kill())
		all.Wait()
	}
	s := start()
	// Deletions that nobody answered are asked for again.
	for subject := range c.deleted {
		if answer := s.Ask(t, http.MethodDelete, "/admin/v1/identities/"+c.ids[subject], nil); answer.Status != http.StatusOK && answer.Status != http.StatusNotFound {
			t.Errorf("deleted again: %d %s", answer.Status, answer.Body)
		}
	}
	waiting := func() (waits, givenUp int) {
		var out struct {
			Targets []struct {
				Waiting int
				GivenUp int `json:"given_up"`
			}
		}
		s.Ask(t, http.MethodGet, "/admin/v1/outbound", nil).Decode(t, &out)
		return out.Targets[0].Waiting, out.Targets[0].GivenUp
	}
	for until := time.Now().Add(3 * time.Minute); ; time.Sleep(100 * time.Millisecond) { // the leases of the dead run out first
		if n, _ := waiting(); n == 0 {
			break
		} else if time.Now().After(until) {
			t.Fatalf("%d wait still", n)
		}
	}
	if _, n := waiting(); n > 0 {
		t.Errorf("%d deliveries were given up", n)
	}
	c.compare(t, s, target)
	if len(told.back) > 0 {
		t.Errorf("told of an earlier state after a later one: %q", told.back)
	}
	t.Logf("%d logins, %d people, %d deleted, %d requests at the service, %d kills", c.next.Load(), len(c.ids), len(c.deleted), len(target.Requests()), kills)
}

// TestKilledBeforeReply: the real program is killed after an account was made and
// before it knows, and the person's name changes. Where a target finds accounts by
// their names alone nobody gets a second one: a person is asked.
func TestKilledBeforeReply(t *testing.T) {
	t.Parallel()
	target := scimtest.New(t)
	made, over := make(chan struct{}, 1), make(chan struct{})
	target.After = func(r *http.Request) {
		if r.Method != http.MethodPost {
			return
		}
		select {
		case made <- struct{}{}:
			<-over
		default:
		}
	}
	binary, path := server.Build(t), filepath.Join(t.TempDir(), "j.db")
	start := func() *server.Server {
		return server.Start(t, server.Config{
			Binary: binary, Store: map[string]any{"bolt": map[string]any{"path": path}}, Providers: map[string]string{"acme.yaml": acme},
			Outbound: map[string]any{"hr": map[string]any{"scim": map[string]any{
				"url": target.URL, "auth": map[string]any{"bearer": scimtest.Token}, "lookup": "user_name", "groups": "none",
				"attributes": map[string]any{"userName": "identity.traits.email"},
			}}},
		})
	}
	login := func(s *server.Server, email string) {
		t.Helper()
		s.AwaitReady(t)
		if a := s.Post(t, "/hooks/login", map[string]any{"version": 1, "provider": "acme", "subject": "s-1", "claims": map[string]any{"email": email}}); a.Status != http.StatusOK {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
	}
	s := start()
	login(s, "ann@acme.example")
	<-made
	must(t, s.Process.Kill())
	close(over)
	s = start()
	login(s, "ann.fox@acme.example")
	var out struct {
		Deliveries []struct {
			Failure string
		}
	}
	for until := time.Now().Add(2 * time.Minute); ; time.Sleep(100 * time.Millisecond) { // the lease of the dead runs out first
		s.Ask(t, http.MethodGet, "/admin/v1/outbound/hr?given_up=true", nil).Decode(t, &out)
		if len(out.Deliveries) > 0 {
			break
		}
		if n := len(target.All("Users", "", "")); n != 1 || time.Now().After(until) {
			t.Fatalf("%d accounts, and nobody is asked", n)
		}
	}
	if n := len(target.All("Users", "", "")); n != 1 || !strings.Contains(out.Deliveries[0].Failure, "earlier userName") {
		t.Errorf("%d accounts, %+v", n, out)
	}
}

// compare holds the service to the store.
func (c *crowd) compare(t *testing.T, s *server.Server, target *scimtest.Target) {
	t.Helper()
	accounts := map[string]scimtest.Doc{}
	for _, d := range target.All("Users", "", "") {
		id := fmt.Sprint(d["externalId"])
		if accounts[id] != nil {
			t.Errorf("%s has two accounts", id)
		}
		accounts[id] = d
	}
	members := map[string]bool{}
	for _, group := range []string{"eng", "staff"} {
		if n := len(target.All("Groups", "displayName", group)); n > 1 {
			t.Errorf("%d groups %s", n, group)
		}
		for _, id := range target.Members(group) {
			members[group+" "+id] = true
		}
	}
	there, granted := map[string]bool{}, 0
	for token := ""; ; {
		var page struct {
			Identities []struct {
				ID, State string
				Traits    struct{ Email, Title string }
				Groups    []struct{ Name string }
			}
			NextPageToken string `json:"next_page_token"`
		}
		s.Ask(t, http.MethodGet, "/admin/v1/identities?page_size=200&page_token="+token, nil).Decode(t, &page)
		for _, i := range page.Identities {
			there[i.ID] = true
			d := accounts[i.ID]
			if i.State != "active" || d == nil || d["active"] != true || d["title"] != i.Traits.Title || d["userName"] != i.Traits.Email {
				t.Errorf("the service has %v of %+v", d, i)
				continue
			}
			for _, g := range i.Groups {
				granted++
				if !members[g.Name+" "+fmt.Sprint(d["id"])] {
					t.Errorf("%v is no member of %s", d, g.Name)
				}
			}
		}
		if token = page.NextPageToken; token == "" {
			break
		}
	}
	if len(members) != granted {
		t.Errorf("%d memberships, want %d", len(members), granted)
	}
	for subject, id := range c.ids {
		if there[id] == c.deleted[subject] {
			t.Errorf("%s is there: %v", subject, there[id])
		}
	}
	for id, d := range accounts {
		if !there[id] && d["active"] != false {
			t.Errorf("%v is nobody's, and open", d)
		}
	}
}

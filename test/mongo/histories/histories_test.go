//go:build unix

// Package histories_test proves that two servers on one MongoDB, under faults,
// look like one that does one thing after the other: what concurrent clients saw
// of a subject (logins, reads, an administrator's edits) has an order in which a
// single copy could have answered so.
package histories_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/google/uuid"

	"github.com/jithook/jithook/admin"
	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/test/mongo/faultproxy"
	"github.com/jithook/jithook/test/mongo/mongotest"
	"github.com/jithook/jithook/test/server"
)

var peer mongotest.Shared

func TestMain(m *testing.M) { os.Exit(peer.Run(m)) }

const issuer = "https://acme.example"

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

const (
	subjects = 4 // each with a history of its own
	clients  = 3 // of each subject, at once
	each     = 14
)

// faults happen to single commands. None lets a command arrive after the call
// that sent it has ended: a first login's insert that comes minutes later, when
// an administrator has deleted the person meanwhile, makes them again, which no
// order of the operations explains.
var faults = []faultproxy.Fault{
	faultproxy.Cut(), faultproxy.DropReply(), faultproxy.Hang(), faultproxy.HangReply(),
	faultproxy.NotWritablePrimary(false), faultproxy.NotWritablePrimary(true),
	faultproxy.WriteConcernError(64, true), faultproxy.Delay(100 * time.Millisecond), faultproxy.DelayReply(300 * time.Millisecond),
}

func TestHistoriesOfTwoServers(t *testing.T) {
	db, binary := peer.Server(t), server.Build(t)
	database := db.Database(t)
	var proxies []*faultproxy.Proxy
	var servers []*server.Server
	for range 2 {
		p := faultproxy.Start(t, db.URI)
		s := server.Start(t, server.Config{Binary: binary, Providers: map[string]string{"acme.yaml": acme},
			Store: map[string]any{"mongodb": map[string]any{"uri": p.URI + "&retryWrites=false", "database": database}}})
		s.AwaitReady(t)
		proxies, servers = append(proxies, p), append(servers, s)
	}

	trouble, calm := context.WithCancel(t.Context())
	var troubles sync.WaitGroup
	for _, p := range proxies {
		troubles.Go(func() { disturb(trouble, p) })
	}
	histories := make([]history, subjects)
	var all sync.WaitGroup
	for n := range histories {
		h := &histories[n]
		h.subject, h.began = uuid.NewString(), time.Now()
		for range clients {
			all.Go(func() {
				for range each {
					h.do(t, servers[rand.IntN(len(servers))])
				}
			})
		}
	}
	all.Wait()
	calm()
	troubles.Wait()
	for n := range histories {
		h := &histories[n]
		for _, s := range servers { // what is there in the end, from both
			s.AwaitReady(t)
			h.record(t, s, operation{kind: "read"})
		}
		h.check(t)
	}
}

// disturb breaks a command now and then, and sometimes all connections.
func disturb(ctx context.Context, p *faultproxy.Proxy) {
	commands := []string{"find", "insert", "update", "delete"}
	for tick := time.NewTicker(60 * time.Millisecond); ; {
		select {
		case <-ctx.Done():
			tick.Stop()
			p.Heal()
			return
		case <-tick.C:
			p.Heal()
			if rand.IntN(20) == 0 {
				p.Cut()
				continue
			}
			p.On(faultproxy.Match{Command: commands[rand.IntN(len(commands))], Collection: "identities", Nth: 1 + rand.IntN(2)}, faults[rand.IntN(len(faults))])
		}
	}
}

// history is what the clients of one subject asked and heard.
type history struct {
	subject string
	began   time.Time
	id      atomic.Value // the newest id that anybody heard

	mu         sync.Mutex
	operations []porcupine.Operation
}

// do asks for something at a server.
func (h *history) do(t testing.TB, s *server.Server) {
	kinds := []string{"login", "login", "login", "read", "read", "suspend", "activate", "activate", "deprovision", "delete"}
	o := operation{kind: kinds[rand.IntN(len(kinds))]}
	id, known := h.id.Load().(string)
	switch {
	case o.kind == "login" || !known:
		o = operation{kind: "login", name: fmt.Sprintf("name-%d", rand.IntN(4))}
	case o.kind != "read":
		o.id = id
	}
	h.record(t, s, o)
}

// record asks and notes when it was and what came of it.
func (h *history) record(t testing.TB, s *server.Server, o operation) {
	call := time.Since(h.began).Nanoseconds()
	r := ask(t, s, h.subject, o)
	end := time.Since(h.began).Nanoseconds()
	o.over = end
	if r.status == 0 {
		end = open
	}
	if r.subject.id != "" {
		h.id.Store(r.subject.id)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.operations = append(h.operations, porcupine.Operation{ClientId: len(h.operations), Input: o, Call: call, Output: r, Return: end})
}

// check fails the test unless some order explains the history.
func (h *history) check(t testing.TB) {
	t.Helper()
	heard := 0
	for _, o := range h.operations {
		if o.Return != open {
			heard++
		}
	}
	if heard < len(h.operations)/3 {
		t.Errorf("only %d of %d operations had a certain answer: this proves little", heard, len(h.operations))
	}
	if got := porcupine.CheckOperationsTimeout(model, echoed(h.operations), 30*time.Second); got != porcupine.Ok {
		slices.SortFunc(h.operations, func(a, b porcupine.Operation) int { return int(a.Call - b.Call) })
		for _, o := range h.operations {
			t.Logf("%6d to %6d ms: %s", o.Call/1e6, o.Return/1e6, model.DescribeOperation(o.Input, o.Output))
		}
		t.Errorf("no order explains this history: %s", got)
		return
	}
	t.Logf("%d operations, %d with a certain answer", len(h.operations), heard)
}

// echoed adds to each change one that may have come before it: a write that was
// done, whose answer was lost, and that others changed before it was read back
// counts as not done, and is planned again. So an operation may take effect twice
// while it is under way, and no longer.
func echoed(operations []porcupine.Operation) []porcupine.Operation {
	all := slices.Clone(operations)
	for _, o := range operations {
		if in := o.Input.(operation); in.kind != "read" {
			o.ClientId, o.Output, o.Return = len(all), result{}, in.over
			all = append(all, o)
		}
	}
	return all
}

// ask sends the operation, and says what is certain after the answer.
func ask(t testing.TB, s *server.Server, who string, o operation) result {
	switch o.kind {
	case "login":
		return signIn(t, s, who, o)
	case "read":
		a := s.Ask(t, http.MethodGet, "/admin/v1/identities?issuer="+url.QueryEscape(issuer)+"&subject="+who, nil)
		var page admin.Identities
		if a.Status != http.StatusOK {
			return result{}
		}
		a.Decode(t, &page)
		switch len(page.Identities) {
		case 0:
			return result{status: a.Status}
		case 1:
			return result{a.Status, shown(page.Identities[0])}
		}
		t.Errorf("%d identities of one subject", len(page.Identities))
		return result{}
	case "delete":
		return edited(t, s.Ask(t, http.MethodDelete, "/admin/v1/identities/"+o.id, nil))
	}
	return edited(t, s.Ask(t, http.MethodPost, "/admin/v1/identities/"+o.id+"/"+o.kind, nil))
}

func shown(i admin.Identity) subject {
	name, _ := i.Traits["name"].(string)
	return subject{i.ID, i.State, name, i.Revision}
}

func edited(t testing.TB, a server.Answer) result {
	switch a.Status {
	case http.StatusOK:
		var e admin.Edited
		a.Decode(t, &e)
		r := result{status: a.Status}
		if e.Identity != nil {
			r.subject = shown(*e.Identity)
		}
		return r
	case http.StatusNotFound, http.StatusConflict:
		return result{status: a.Status}
	case 0, http.StatusServiceUnavailable:
		return result{}
	}
	t.Errorf("an edit: %d %s", a.Status, a.Body)
	return result{}
}

func signIn(t testing.TB, s *server.Server, who string, o operation) result {
	a := s.Post(t, "/hooks/login", map[string]any{"version": 1, "provider": "acme", "subject": who,
		"claims": map[string]any{"email": who + "@acme.example", "name": o.name}})
	var reply struct {
		Reasons  []identity.Reason
		Identity struct {
			ID     string
			State  identity.State
			Traits map[string]any
		}
	}
	switch a.Status {
	case http.StatusOK:
		a.Decode(t, &reply)
		name, _ := reply.Identity.Traits["name"].(string)
		return result{a.Status, subject{reply.Identity.ID, reply.Identity.State, name, 0}}
	case http.StatusForbidden:
		a.Decode(t, &reply)
		states := map[identity.Code]identity.State{identity.CodeSuspended: identity.StateSuspended, identity.CodeDeprovisioned: identity.StateDeprovisioned}
		return result{a.Status, subject{state: states[reply.Reasons[0].Code]}}
	case 0, http.StatusServiceUnavailable:
		return result{}
	}
	t.Errorf("a login: %d %s", a.Status, a.Body)
	return result{}
}

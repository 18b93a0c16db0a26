// These tests prove rule 5 of the store's protocol: a pending identity gives its
// subject up to the committed identity that Kratos and policy say it belongs to,
// deleted on the very revision that was read; and that none yields which anybody
// has acknowledged, touched or renewed, or for which policy has not spoken.
package provision_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
)

const globexIssuer = "https://globex.example"

// await notes on the identity of k-1 that policy has said yes to globex's g-1.
func (h *house) await(edit ...func(*identity.Proposal)) {
	h.t.Helper()
	h.change("s-1", func(i *identity.Identity) {
		w := identity.Proposal{
			Provider: "globex", Issuer: globexIssuer, Subject: "g-1", State: identity.ProposalAwaited,
			At: h.now, Expires: h.now.Add(time.Hour), Match: identity.Match{Rule: "b.yaml:1:1", Path: "/email"},
		}
		for _, e := range edit {
			e(&w)
		}
		i.Proposals = append(i.Proposals, w)
	})
}

// change edits the identity of acme's subject, past every rule.
func (h *house) change(subject string, edit func(*identity.Identity)) {
	h.t.Helper()
	i := *h.of("https://acme.example", subject)
	edit(&i)
	i.Revision++
	if err := h.store.Swap(h.t.Context(), i, identity.Record{}); err != nil {
		h.t.Fatal(err)
	}
}

// of returns the identity of a subject, or nil.
func (h *house) of(issuer, subject string) *identity.Identity {
	h.t.Helper()
	found, err := h.store.Store.Find(h.t.Context(), identity.FedKey(issuer, subject))
	if err != nil {
		h.t.Fatal(err)
	}
	if len(found) == 0 {
		return nil
	}
	return &found[0]
}

// byGlobex is a call of Kratos's about globex's g-1.
func byGlobex(hook identity.Hook, id string, edit ...func(map[string]any)) identity.Login {
	claims := ann(with("email", "ann@globex.example"), with("preferred_username", "ann-g"))
	for _, e := range edit {
		e(claims)
	}
	l := kratos(hook, id, "g-1", claims)
	l.Provider, l.Offers[0].Provider, l.Offers[0].Issuer = "globex", "globex", globexIssuer
	return l
}

// pendingBeside is a house in which k-1 is ann, globex's g-1 is pending, and
// Kratos has since connected g-1 to k-1.
func pendingBeside(t *testing.T) (*house, *adminAPI) {
	t.Helper()
	h := open(t, acme, globexAuto)
	h.first("s-1", "k-1")
	want(t, h.Provision(t.Context(), byGlobex(identity.HookPrepare, nobody)), identity.Created)
	return h, h.holds("acme:s-1", "globex:g-1")
}

// globexAuto is a second provider that may link.
var globexAuto = second(auto)

// TestPendingYields: whichever login comes first takes the subject, and the
// record of the deletion names what was deleted.
func TestPendingYields(t *testing.T) {
	for name, l := range map[string]identity.Login{
		"the subject signs in":              signIn("globex"),
		"the person signs in by the first":  signIn("acme"),
		"the sign-in that connected it":     linking(signIn("acme")),
		"that sign-in, with a password":     linking(signIn("")),
		"the settings have connected it":    linking(ofK1(identity.HookLinks)),
		"the settings, after some other do": ofK1(identity.HookLinks),
	} {
		t.Run(name, func(t *testing.T) {
			h, api := pendingBeside(t)
			h.await()
			pending := h.of(globexIssuer, "g-1")
			h.store.writes.Store(0)
			out := h.Provision(t.Context(), l)
			want(t, out, identity.Linked)
			i := h.only()
			at := i.Link(globexIssuer, "g-1")
			if at < 0 || i.Links[at].Evidence != identity.SourceKratosAdmin || i.Links[at].Match.Rule == "" || len(i.Proposals) != 0 {
				t.Fatalf("%+v", i)
			}
			if !slices.Contains(i.Keys, identity.FedKey(globexIssuer, "g-1")) || out.Identity.ID != i.ID {
				t.Errorf("the subject's key is not its, or the answer is about another one")
			}
			page, err := h.store.Decisions(t.Context(), store.DecisionQuery{IdentityID: pending.ID, Decision: identity.Deleted})
			if err != nil || len(page.Records) != 1 || page.Records[0].Reasons[0].Code != identity.CodeYielded || len(page.Records[0].Change) != 0 {
				t.Errorf("records of the deletion: %+v, %v", page.Records, err)
			}
			if len(api.removed()) != 0 {
				t.Errorf("removed %v", api.removed())
			}
			// From now on it is a login like any other.
			h.store.reads.Store(0)
			h.store.writes.Store(0)
			want(t, h.Provision(t.Context(), signIn("globex")), identity.Unchanged)
			if r, w := h.store.reads.Load(), h.store.writes.Load(); r != 1 || w != 0 {
				t.Errorf("later: %d reads, %d writes", r, w)
			}
		})
	}
}

// TestPendingYieldsToNobodyElse: each guard, one by one. Whoever is refused
// leaves both as they were.
func TestPendingYieldsToNobodyElse(t *testing.T) {
	pending := func(edit func(*identity.Identity)) func(*house) {
		return func(h *house) {
			i := *h.of(globexIssuer, "g-1")
			edit(&i)
			i.Revision++
			if err := h.store.Swap(h.t.Context(), i, identity.Record{}); err != nil {
				h.t.Fatal(err)
			}
		}
	}
	committed := func(edit func(*identity.Identity)) func(*house) {
		return func(h *house) { h.change("s-1", edit) }
	}
	for name, c := range map[string]struct {
		edit   func(*house)
		kratos func(*adminAPI)
		await  func(*identity.Proposal)
		code   identity.Code
	}{
		"nobody awaits it":            {await: func(w *identity.Proposal) { w.Subject = "g-2" }},
		"it was only proposed":        {await: func(w *identity.Proposal) { w.State = identity.ProposalOpen }},
		"it was rejected":             {await: func(w *identity.Proposal) { w.State = identity.ProposalRejected }},
		"too long ago":                {await: func(w *identity.Proposal) { w.Expires = w.At }},
		"of another issuer":           {await: func(w *identity.Proposal) { w.Issuer = "https://old.example" }},
		"Kratos has not connected it": {kratos: func(a *adminAPI) { identifiers(a.account, "acme:s-1") }, code: identity.CodeLinkingDisabled},
		"Kratos does not say":         {kratos: func(a *adminAPI) { delete(a.account, "credentials") }},
		"Kratos cannot be asked":      {edit: func(h *house) { h.Kratos = nil }},
		"JIT is disabled by now": {edit: func(h *house) {
			h.edit(acme, replace(globexAuto, "enabled: true", "enabled: false"))
		}},
		"linking is disabled by now": {edit: func(h *house) { h.edit(acme, second(confirm)) }},
		"the committed one is protected": {edit: func(h *house) {
			h.edit(acme, second(auto+"\n  protected: 'identity.groups.exists(g, g == \"engineering\")'"))
		}},
		"it was acknowledged": {edit: pending(func(i *identity.Identity) { i.LastLoginAt = i.CreatedAt })},
		"another Kratos has it": {edit: pending(func(i *identity.Identity) {
			e := identity.ExternalID{System: identity.SystemKratos, Instance: "second", ID: "k-9"}
			i.ExternalIDs, i.Keys = append(i.ExternalIDs, e), append(i.Keys, identity.ExtKey(e))
			slices.Sort(i.Keys)
		})},
		"it is active":                     {edit: pending(func(i *identity.Identity) { i.State = identity.StateActive })},
		"an administrator wrote a trait":   {edit: pending(func(i *identity.Identity) { i.Provenance[0].Source = identity.SourceAdmin })},
		"an administrator granted a group": {edit: pending(func(i *identity.Identity) { i.Groups[0].Source = identity.SourceAdmin })},
		"an administrator activated it":    {edit: pending(func(i *identity.Identity) { i.StateSource = identity.SourceAdmin })},
		"of another userstore":             {edit: pending(func(i *identity.Identity) { i.Userstore = "default" })},
		"it has another subject": {edit: pending(func(i *identity.Identity) {
			i.Links = append(i.Links, identity.Link{Provider: "initech", Issuer: "https://initech.example", Subject: "i-1"})
			i.Keys = append(i.Keys, identity.FedKey("https://initech.example", "i-1"))
			slices.Sort(i.Keys)
		})},
		"it is suspended":                  {edit: pending(func(i *identity.Identity) { i.State = identity.StateSuspended }), code: identity.CodeSuspended},
		"the committed one is suspended":   {edit: committed(func(i *identity.Identity) { i.State = identity.StateSuspended }), code: identity.CodeSuspended},
		"the committed one is pending too": {edit: committed(func(i *identity.Identity) { i.State = identity.StatePending })},
		"it has a subject of the provider": {edit: committed(func(i *identity.Identity) {
			i.Links = append(i.Links, identity.Link{Provider: "globex", Issuer: globexIssuer, Subject: "g-0", Evidence: identity.SourceHookBody})
			i.Keys = append(i.Keys, identity.FedKey(globexIssuer, "g-0"))
			slices.Sort(i.Keys)
		})},
	} {
		t.Run(name, func(t *testing.T) {
			h, api := pendingBeside(t)
			h.await(optional(c.await)...)
			if c.edit != nil {
				c.edit(h)
			}
			if c.kratos != nil {
				c.kratos(api)
			}
			one, other := *h.of("https://acme.example", "s-1"), *h.of(globexIssuer, "g-1")
			switch {
			case h.Kratos == nil || api.account["credentials"] == nil:
				c.code = identity.CodeLinkingDisabled // nobody says whose sign-in it is
			case c.code == "":
				c.code = identity.CodeLinkStale
			}
			out := h.Provision(t.Context(), signIn("globex"))
			want(t, out, identity.Denied, c.code)
			if one.State == identity.StateActive { // otherwise these make it so
				h.Provision(t.Context(), signIn("acme"))
				h.Provision(t.Context(), linking(signIn("acme")))
			}
			a, b := *h.of("https://acme.example", "s-1"), *h.of(globexIssuer, "g-1")
			if len(a.Links) != len(one.Links) || a.ID == b.ID || b.Revision != other.Revision {
				t.Errorf("changed:\n%+v\n%+v", a, b)
			}
		})
	}
}

// TestPendingYieldsWithItsChanges: what a login would have changed of a pending
// identity is no change of the one that the subject is linked to instead.
func TestPendingYieldsWithItsChanges(t *testing.T) {
	h, api := known(t, auto)
	api.account, api.holders = nil, nil // Kratos has lost her
	h.edit(acme, replace(second(auto), "[acme.example]", "[acme.example, old.example]"))
	want(t, h.Provision(t.Context(), annByGlobex("g-1", with("email", "ann@old.example"))), identity.Created)
	h.edit(acme, second(auto)) // nobody vouches for that address any more
	out := h.Provision(t.Context(), annByGlobex("g-1"))
	want(t, out, identity.Linked, identity.CodeLinked)
	for _, c := range out.Record.Change {
		if c.Path == "/traits/email" {
			t.Errorf("changes %v", out.Record.Change)
		}
	}
	if i := h.only(); i.Traits["email"] != "ann@acme.example" {
		t.Errorf("%+v", i)
	}
}

// TestPendingYieldsOnTheRevisionRead: a prepare that comes between reading and
// deleting is seen, and so is one that makes the pending identity anew between
// deleting and linking.
func TestPendingYieldsOnTheRevisionRead(t *testing.T) {
	for name, at := range map[string]string{"renewed before the deletion": "delete", "made anew after it": "swap"} {
		t.Run(name, func(t *testing.T) {
			h, _ := pendingBeside(t)
			h.await()
			h.now = h.now.Add(time.Minute)
			h.store.fail = once(at, func() error {
				h.store.fail = nil
				out := h.Provision(t.Context(), byGlobex(identity.HookPrepare, nobody))
				if !out.Record.Decision.Allowed() {
					t.Errorf("prepare: %s %v", out.Record.Decision, out.Record.Reasons)
				}
				return nil
			})
			want(t, h.Provision(t.Context(), signIn("globex")), identity.Linked)
			if i := h.only(); i.Link(globexIssuer, "g-1") < 0 {
				t.Errorf("%+v", i)
			}
		})
	}
	t.Run("taken by another login since", func(t *testing.T) {
		h := open(t, acme, globexAuto)
		h.first("s-1", "k-1")
		h.await()
		api := h.holds("acme:s-1", "globex:g-1")
		reads := 0
		h.store.fail = func(op string) error {
			if op == "find" {
				reads++
			}
			if reads == 2 {
				h.store.fail = nil
				want(t, h.Provision(t.Context(), signIn("globex")), identity.Linked)
			}
			return nil
		}
		want(t, h.Provision(t.Context(), signIn("globex")), identity.Unchanged)
		if len(api.removed()) > 0 {
			t.Errorf("removed %v", api.removed())
		}
	})
	t.Run("committed before the deletion", func(t *testing.T) {
		h, _ := pendingBeside(t)
		h.await()
		h.store.fail = once("delete", func() error {
			h.store.fail = nil
			want(t, h.Commit(t.Context(), byGlobex(identity.HookCommit, "k-2")), identity.Activated)
			return nil
		})
		want(t, h.Provision(t.Context(), signIn("globex")), identity.Denied, identity.CodeLinkStale)
		if i := h.of(globexIssuer, "g-1"); i == nil || i.State != identity.StateActive {
			t.Errorf("%+v", i)
		}
	})
}

// TestPendingYieldsAndThenNothing: whoever dies between deleting and linking
// leaves a subject without an identity, which the next login gives to the one
// that it belongs to.
func TestPendingYieldsAndThenNothing(t *testing.T) {
	h, _ := pendingBeside(t)
	h.await()
	dead := errors.New("test: the process is gone")
	h.store.fail = failing("swap", 1, dead)
	want(t, h.Provision(t.Context(), signIn("globex")), identity.Error)
	if i := h.only(); i.Link(globexIssuer, "g-1") >= 0 {
		t.Fatalf("linked: %+v", i)
	}
	h.now = h.now.Add(time.Minute)
	want(t, h.Provision(t.Context(), signIn("globex")), identity.Linked)
	if i := h.only(); i.Link(globexIssuer, "g-1") < 0 {
		t.Errorf("%+v", i)
	}
}

// once runs do before the first of an operation.
func once(op string, do func() error) func(string) error {
	done := false
	return func(o string) error {
		if o != op || done {
			return nil
		}
		done = true
		return do()
	}
}

func (c *counting) Delete(ctx context.Context, id string, revision int64, renewedAt time.Time, r identity.Record) error {
	if err := c.gate("delete", &c.writes); err != nil {
		return err
	}
	return c.Store.Delete(ctx, id, revision, renewedAt, r)
}

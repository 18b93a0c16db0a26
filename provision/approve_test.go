package provision_test

// These tests prove that a proposed link is made by an administrator alone, as
// long as it may be, in one write with its record; and that a no is remembered,
// an unlink included, until somebody says yes.

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/provision"
	"github.com/jithook/jithook/store"
)

// proposal is a house in which globex's g-1 is proposed for Ann, and its id.
func proposal(t *testing.T, jit string) (*house, string) {
	t.Helper()
	h := findable(t, jit)
	want(t, h.Provision(t.Context(), fromGlobex("g-1")), identity.Denied)
	i := h.only()
	if len(i.Proposals) != 1 {
		t.Fatalf("proposals %+v", i.Proposals)
	}
	return h, i.ProposalID(i.Proposals[0])
}

const protected = auto + "\n  protected: \"true\""

func TestApproved(t *testing.T) {
	for name, jit := range map[string]string{"confirm": confirm, "protected": protected} {
		t.Run(name, func(t *testing.T) {
			h, id := proposal(t, jit)
			before := h.only()
			out := h.admin(provision.Approve(id), identity.Linked, identity.CodeAdminLinkApproved)
			if r := out.Record; r.Provider != "globex" || r.Issuer != "https://globex.example" || r.SubjectKey != identity.FedKey("https://globex.example", "g-1") ||
				!slices.Equal(r.Change, []identity.Change{set("/links/globex")}) {
				t.Errorf("record %+v", r)
			}
			i := h.only()
			link := identity.Link{
				Provider: "globex", Issuer: "https://globex.example", Subject: "g-1", LinkedAt: h.now, Evidence: identity.SourceAdmin, Match: before.Proposals[0].Match,
			}
			if len(i.Links) != 2 || i.Links[1] != link || len(i.Proposals) != 0 || i.Revision != before.Revision+1 {
				t.Errorf("%+v", i)
			}
			want(t, h.Provision(t.Context(), fromGlobex("g-1")), identity.Unchanged)
			out = h.Provision(t.Context(), fromGlobex("g-1", with("groups", []any{"staff"})))
			if groups := groups(h.only()); slices.Contains(groups, "staff") == (jit == protected) || out.Identity.ID != i.ID {
				t.Errorf("groups %v", groups)
			}
			if _, err := h.Edit(t.Context(), provision.Target{ID: i.ID}, provision.Approve(id)); !errors.Is(err, provision.ErrNoProposal) {
				t.Errorf("approved again: %v", err)
			}
		})
	}
}

func TestApproveRefused(t *testing.T) {
	own := fromGlobex("g-1", with("email", "other@acme.example"))
	for name, c := range map[string]struct {
		setup func(*house)
		code  identity.Code
	}{
		"suspended":     {func(h *house) { h.admin(provision.Suspend(), identity.Updated) }, identity.CodeStateRefused},
		"deprovisioned": {func(h *house) { h.admin(provision.Deprovision(), identity.Updated) }, identity.CodeStateRefused},
		"second subject": {func(h *house) {
			h.link(identity.SourceHookBody, func(i *identity.Identity) { i.Links[1].Subject = "g-0" }, fedKeys)
		}, identity.CodeLinkRefused},
		"of its issuer": {func(h *house) {
			h.link(identity.SourceHookBody, func(i *identity.Identity) { i.Links[1].Provider, i.Links[1].Subject = "old", "g-0" }, fedKeys)
		}, identity.CodeLinkRefused},
		"somebody else": {func(h *house) { want(h.t, h.Provision(h.t.Context(), own), identity.Created) }, identity.CodeSubjectTaken},
	} {
		t.Run(name, func(t *testing.T) {
			h, id := proposal(t, confirm)
			c.setup(h)
			ann := h.all()[0]
			out, err := h.Edit(t.Context(), provision.Target{ID: ann.ID}, provision.Approve(id))
			if err != nil {
				t.Fatal(err)
			}
			want(t, out, identity.Denied, c.code)
			if r, err := h.store.Decision(t.Context(), out.Record.ID); err != nil || r.Decision != identity.Denied {
				t.Errorf("record %+v, %v", r, err)
			}
			if after, err := h.store.Get(t.Context(), ann.ID); err != nil || after.Revision != ann.Revision || len(after.Proposals) != 1 {
				t.Errorf("%+v, %v", after, err)
			}
		})
	}
}

// fedKeys gives an identity the fed keys of its links and no others.
func fedKeys(i *identity.Identity) {
	i.Keys = slices.DeleteFunc(i.Keys, func(k identity.Key) bool { return k.Kind() == identity.KeyFed })
	for _, l := range i.Links {
		i.Keys = append(i.Keys, identity.FedKey(l.Issuer, l.Subject))
	}
}

func TestProposalRunsOut(t *testing.T) {
	h, id := proposal(t, confirm)
	h.now = h.now.Add(30 * 24 * time.Hour)
	for _, e := range []provision.Edit{provision.Approve(id), provision.Reject(id)} {
		if _, err := h.Edit(t.Context(), provision.Target{ID: h.only().ID}, e); !errors.Is(err, provision.ErrNoProposal) {
			t.Errorf("%v, want ErrNoProposal", err)
		}
	}
}

// TestRejected: no login asks again, in any mode, for ever; yes is still yes.
func TestRejected(t *testing.T) {
	h, id := proposal(t, confirm)
	out := h.admin(provision.Reject(id), identity.Updated, identity.CodeAdminLinkRejected)
	if !slices.Equal(out.Record.Change, []identity.Change{set("/proposals/globex")}) {
		t.Errorf("changes %v", out.Record.Change)
	}
	h.admin(provision.Reject(id), identity.Unchanged, identity.CodeAdminLinkRejected)
	h.now = h.now.Add(60 * 24 * time.Hour)
	for _, jit := range []string{confirm, auto, protected} {
		h.edit2(second(jit))
		h.store.writes.Store(0)
		want(t, h.Provision(t.Context(), fromGlobex("g-1")), identity.Denied, identity.CodeLinkRefused)
		if i := h.only(); i.Revision != 3 || i.Proposals[0].State != identity.ProposalRejected || !i.Proposals[0].Expires.IsZero() {
			t.Errorf("%+v", i)
		}
	}
	// Another subject is another question.
	h.edit2(second(confirm))
	want(t, h.Provision(t.Context(), fromGlobex("g-2")), identity.Denied, identity.CodeLinkApprovalRequired)
	h.admin(provision.Approve(id), identity.Linked)
	want(t, h.Provision(t.Context(), fromGlobex("g-1")), identity.Unchanged)
}

// TestUnlinkedIsNotLinkedAgain: what an administrator took apart no rule puts
// together.
func TestUnlinkedIsNotLinkedAgain(t *testing.T) {
	h := findable(t, auto)
	want(t, h.Provision(t.Context(), fromGlobex("g-1")), identity.Linked)
	h.admin(provision.Unlink("globex"), identity.Updated, identity.CodeAdminUnlinked)
	want(t, h.Provision(t.Context(), fromGlobex("g-1")), identity.Denied, identity.CodeLinkRefused)
	want(t, h.Provision(t.Context(), fromGlobex("g-2")), identity.Linked) // another subject, with her address
	h.admin(provision.Unlink("globex"), identity.Updated)
	i := h.only()
	if len(i.Proposals) != 2 || i.Proposals[1].Match.Rule != "b.yaml:12:41" {
		t.Fatalf("%+v", i.Proposals)
	}
	h.admin(provision.Approve(i.ProposalID(i.Proposals[0])), identity.Linked)
	want(t, h.Provision(t.Context(), fromGlobex("g-1")), identity.Unchanged)
}

// TestNoesAreBounded: the oldest gives way.
func TestNoesAreBounded(t *testing.T) {
	h := findable(t, auto)
	for n := range 103 {
		want(t, h.Provision(t.Context(), fromGlobex(fmt.Sprint("g-", n))), identity.Linked)
		h.admin(provision.Unlink("globex"), identity.Updated)
	}
	if i := h.only(); len(i.Proposals) != 100 || i.Proposals[0].Subject != "g-3" || i.Proposals[99].Subject != "g-102" {
		t.Errorf("%d proposals, from %s", len(i.Proposals), i.Proposals[0].Subject)
	}
}

// TestS60_NoLoginApproves: neither the stranger, nor the person, nor anybody's
// insistence or words make a proposed link.
func TestS60_NoLoginApproves(t *testing.T) {
	h, _ := proposal(t, confirm)
	i := h.only()
	insistent := fromGlobex("g-1", with("approved", true), with("state", "approved"), with("proposals", []any{"g-1"}))
	insistent.Known = i.ID
	for n := range 3 {
		h.now = h.now.Add(11 * 24 * time.Hour) // the proposal ends meanwhile
		for _, l := range []identity.Login{fromGlobex("g-1"), insistent, byKratos(identity.HookPrepare, ""), byKratos(identity.HookLogin, "k-9")} {
			want(t, h.Provision(t.Context(), l), identity.Denied, identity.CodeLinkApprovalRequired)
		}
		want(t, h.Provision(t.Context(), generic("s-1", ann(with("name_verified", true), with("proposed", n)))), map[bool]identity.Decision{true: identity.Updated, false: identity.Unchanged}[n == 2])
	}
	after := h.only()
	if len(after.Links) != 1 || !slices.Equal(after.Keys, i.Keys) || len(after.Proposals) != 1 {
		t.Errorf("%+v", after)
	}
}

// TestApproveAcrossStores: a subject that home knows as somebody else's is not
// given away by another store.
func TestApproveAcrossStores(t *testing.T) {
	for name, elsewhere := range map[string]bool{"nobody's": false, "somebody else's": true} {
		t.Run(name, func(t *testing.T) {
			w := openTown(t, acme, second(confirm))
			want(t, w.Provision(t.Context(), generic("s-1", ann())), identity.Created)
			want(t, w.Provision(t.Context(), fromGlobex("g-1")), identity.Denied, identity.CodeLinkApprovalRequired)
			page, err := w.employees.List(t.Context(), store.Query{Having: identity.HavingProposal})
			if err != nil || len(page.Identities) != 1 {
				t.Fatalf("%+v, %v", page, err)
			}
			i := page.Identities[0]
			d, code := identity.Linked, identity.CodeAdminLinkApproved
			if elsewhere {
				d, code = identity.Denied, identity.CodeSubjectTaken
				next := open(t, acme, replace(second(confirm), "userstore: employees", "userstore: default"))
				w.Providers = next.Providers
				want(t, w.Provision(t.Context(), fromGlobex("g-1")), identity.Created)
			}
			out, err := w.Edit(t.Context(), provision.Target{ID: i.ID}, provision.Approve(i.ProposalID(i.Proposals[0])))
			if err != nil {
				t.Fatal(err)
			}
			want(t, out, d, code)
		})
	}
}

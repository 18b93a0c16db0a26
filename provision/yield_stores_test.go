package provision_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
)

// bothIn is a town in which the named userstore has k-1, who awaits globex's
// g-1, and Kratos has connected that.
func bothIn(t *testing.T, userstore string) (town, *adminAPI) {
	t.Helper()
	place := func(file string) string {
		return strings.Replace(file, "userstore: employees", "userstore: "+userstore, 1)
	}
	w := openTown(t, place(acme), place(second(auto)))
	want(t, w.Provision(t.Context(), kratos(identity.HookPrepare, nobody, "s-1", ann())), identity.Created)
	want(t, w.Commit(t.Context(), kratos(identity.HookCommit, "k-1", "s-1", nil)), identity.Activated)
	i := w.holder(t, "https://acme.example", "s-1")
	i.Proposals = append(i.Proposals, identity.Proposal{
		Provider: "globex", Issuer: globexIssuer, Subject: "g-1", State: identity.ProposalAwaited, At: w.now, Expires: w.now.Add(time.Hour),
	})
	i.Revision++
	if err := w.Store.Swap(t.Context(), i, identity.Record{}); err != nil {
		t.Fatal(err)
	}
	return w, w.holds("acme:s-1", "globex:g-1")
}

// holder is the one identity of a subject, in whichever store.
func (w town) holder(t *testing.T, issuer, subject string) identity.Identity {
	t.Helper()
	found, err := w.Store.Look(t.Context(), "", identity.FedKey(issuer, subject))
	if err != nil || len(found.Identities) != 1 {
		t.Fatalf("%+v, %v", found, err)
	}
	return found.Identities[0]
}

// TestPendingYieldsInAStoreOfItsOwn: the subject is pinned where it goes, before
// it is linked.
func TestPendingYieldsInAStoreOfItsOwn(t *testing.T) {
	for name, pending := range map[string]bool{"pending": true, "nobody has the subject": false} {
		t.Run(name, func(t *testing.T) {
			w, _ := bothIn(t, "employees")
			if pending {
				want(t, w.Provision(t.Context(), byGlobex(identity.HookPrepare, nobody)), identity.Created)
			}
			want(t, w.Provision(t.Context(), signIn("globex")), identity.Linked)
			if i := w.holder(t, globexIssuer, "g-1"); i.Userstore != "employees" || i.Link("https://acme.example", "s-1") < 0 {
				t.Errorf("%+v", i)
			}
			if got := w.where(t); got != "0+1" {
				t.Errorf("identities at home+employees: %s", got)
			}
			if err := w.store.Pin(t.Context(), identity.FedKey(globexIssuer, "g-1"), "employees"); err != nil {
				t.Errorf("the subject is not pinned: %v", err)
			}
			want(t, w.Provision(t.Context(), signIn("globex")), identity.Unchanged)
		})
	}
}

// TestPinnedSubjectIsNotTaken: the subject belongs to another userstore for
// ever, whoever has it there; what Kratos has connected is taken back.
func TestPinnedSubjectIsNotTaken(t *testing.T) {
	for name, edit := range map[string]func(town){
		"nobody is there":   func(town) {},
		"its store is gone": func(w town) { w.settleIn(map[string]store.Store{}) },
	} {
		t.Run(name, func(t *testing.T) {
			w, api := bothIn(t, "default")
			if err := w.Editable.Pin(t.Context(), identity.FedKey(globexIssuer, "g-1"), "employees"); err != nil {
				t.Fatal(err)
			}
			edit(w)
			out := w.Provision(t.Context(), signIn("globex"))
			if out.Record.Decision != identity.Denied {
				t.Errorf("%s %v", out.Record.Decision, out.Record.Reasons)
			}
			want(t, w.Provision(t.Context(), signIn("acme")), identity.Unchanged)
			if got := api.removed(); !slices.Contains(got, "globex:g-1") {
				t.Errorf("removed %v", got)
			}
			if i := w.holder(t, "https://acme.example", "s-1"); len(i.Links) != 1 {
				t.Errorf("%+v", i.Links)
			}
		})
	}
}

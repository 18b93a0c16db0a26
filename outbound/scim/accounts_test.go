package scim_test

// What nobody here answers for is found among the accounts that the target lists,
// page by page; only what is proven to have been ours is closed, the rest is never
// touched.

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/outbound"
	"github.com/jithook/jithook/outbound/scim"
	"github.com/jithook/jithook/store/bolt"
	"github.com/jithook/jithook/test/scim/scimtest"
)

// census goes through all accounts of the target.
func census(t *testing.T, s *bolt.Store, x outbound.Lister, mend outbound.Mend) (drifts []outbound.Drift, foreign []string, checked int) {
	t.Helper()
	steps := 0
	for behind := 0; behind >= 0; steps++ {
		c, err := outbound.Strangers(t.Context(), s, x, hr, behind, 50, mend, time.Now())
		must(t, err)
		drifts, foreign, checked = append(drifts, c.Drifts...), append(foreign, c.Foreign...), checked+c.Checked
		if behind = c.Next; steps > 100 {
			t.Fatal("it never ends")
		}
	}
	return drifts, foreign, checked
}

func TestStrangers(t *testing.T) {
	for _, end := range []string{scim.Deactivate, scim.Delete} {
		t.Run(end, func(t *testing.T) {
			target := scimtest.New(t)
			s, err := bolt.Open(filepath.Join(t.TempDir(), "jithook.db"), bolt.Options{})
			must(t, err)
			defer s.Close()
			x := outbound.Limit(connector(t, target.URL, func(o *scim.Options) { o.OnDeprovision = end }), nil)
			serial := 0
			account := func(externalID any, active bool) string {
				serial++
				d := scimtest.Doc{"userName": fmt.Sprintf("u%d@acme.example", serial), "active": active}
				if externalID != nil {
					d["externalId"] = externalID
				}
				return target.Put("Users", d)
			}
			newID := func() string { return uuid.Must(uuid.NewV7()).String() }
			person := func(edit func(*identity.Identity)) string {
				i := identity.Identity{ID: newID(), Userstore: "default", State: identity.StateActive, Revision: 1, CreatedAt: time.Now()}
				edit(&i)
				must(t, s.Insert(t.Context(), i, identity.Record{}))
				return i.ID
			}

			// In the target's order; a page has three.
			foreign := []string{account(nil, true), account("7", true), account(uuid.NewString(), true), account(strings.ToUpper(newID()), true)}
			var orphans []string
			for range 4 {
				id := newID()
				orphans = append(orphans, account(id, true))
				must(t, s.Record(t.Context(), []identity.Record{{ID: newID(), At: time.Now(), IdentityID: id, Userstore: "default", Decision: identity.Deleted}}, nil))
			}
			unproved := []string{account(newID(), true)}
			if closed := account(newID(), false); end == scim.Delete { // then it should not be there at all
				unproved = append(unproved, closed)
			}
			waits := person(func(i *identity.Identity) { i.Arm(hr, time.Now()) })
			account(waits, true) // about to be told
			noted := person(func(*identity.Identity) {})
			unnoted := account(noted, true)
			double := person(func(i *identity.Identity) { i.Remember(identity.Resource{Target: hr, ID: "U0"}) })
			second := account(double, true)

			kinds := func(drifts []outbound.Drift) map[string]string {
				out := map[string]string{}
				for _, d := range drifts {
					out[d.Account] = fmt.Sprint(d.Kind, " ", d.Mended)
				}
				return out
			}
			want := map[string]string{unnoted: "unnoted false", second: "double false"}
			for _, id := range slices.Concat(orphans, unproved) {
				want[id] = "orphan false"
			}
			before := len(target.Writes())
			drifts, others, checked := census(t, s, x, outbound.Mend{})
			if diff := cmp.Diff(want, kinds(drifts)); diff != "" {
				t.Errorf("looked (-want +got):\n%s", diff)
			}
			if all := len(target.All("Users", "", "")); checked != all || !slices.Equal(others, foreign) || len(target.Writes()) != before {
				t.Errorf("%d of %d accounts, foreign %v, want %v; %d writes", checked, all, others, foreign, len(target.Writes())-before)
			}

			untouched := func() (docs []scimtest.Doc) {
				for _, d := range target.All("Users", "", "") {
					if id := d["id"].(string); slices.Contains(foreign, id) || id == second {
						docs = append(docs, d)
					}
				}
				return docs
			}
			were := untouched()
			drifts, _, _ = census(t, s, x, outbound.Mend{Tell: true})
			for _, id := range append(slices.Clone(orphans), unnoted) {
				want[id] = strings.Replace(want[id], "false", "true", 1)
			}
			if diff := cmp.Diff(want, kinds(drifts)); diff != "" {
				t.Errorf("mended (-want +got):\n%s", diff)
			}
			i, err := s.Get(t.Context(), noted)
			must(t, err)
			if has, _ := i.Resource(hr); has.ID != unnoted || i.DeliveryTo(hr) < 0 {
				t.Errorf("%+v, %+v", i.Resources, i.Outbox)
			}
			drifts, _, _ = census(t, s, x, outbound.Mend{Tell: true, Orphans: true})
			want = map[string]string{second: "double false"}
			for _, id := range unproved {
				want[id] = "orphan true"
			}
			if diff := cmp.Diff(want, kinds(drifts)); diff != "" {
				t.Errorf("mended all (-want +got):\n%s", diff)
			}
			drifts, _, _ = census(t, s, x, outbound.Mend{Tell: true, Orphans: true})
			if diff := cmp.Diff(map[string]string{second: "double false"}, kinds(drifts)); diff != "" {
				t.Errorf("afterwards (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(were, untouched()); diff != "" {
				t.Errorf("what is not ours was touched:\n%s", diff)
			}
		})
	}
}

// A target that lists the same accounts again and again is not believed.
func TestAccountsRepeated(t *testing.T) {
	target := scimtest.New(t)
	target.Quirks.OnePage = true
	for n := range 5 {
		target.Put("Users", scimtest.Doc{"userName": fmt.Sprint("u", n)})
	}
	x := connector(t, target.URL, nil)
	page, next, err := x.Accounts(t.Context(), 0, 50)
	must(t, err)
	if len(page) != scimtest.MaxPage || next != scimtest.MaxPage || !page[0].Active {
		t.Errorf("%+v, %d", page, next)
	}
	if _, _, err := x.Accounts(t.Context(), next, 50); err == nil || !strings.Contains(err.Error(), "startIndex") {
		t.Errorf("%v", err)
	}
}

// Requests are spaced out as asked.
func TestPace(t *testing.T) {
	target := scimtest.New(t)
	x := connector(t, target.URL, nil)
	ctx := outbound.Pace(t.Context(), 50)
	began := time.Now()
	for range 10 {
		_, _, err := x.Accounts(ctx, 0, 1)
		must(t, err)
	}
	if took := time.Since(began); took < 180*time.Millisecond {
		t.Errorf("ten requests in %v, at fifty in a second", took)
	}
}

package verify_test

// Over several stores: a subject that home does not know of becomes known, one
// that is in two stores is left to people, and what is sound is left alone.

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
	"github.com/jithook/jithook/store/bolt"
	"github.com/jithook/jithook/store/verify"
)

// town is an installation with two userstores in stores of their own.
type town struct {
	verify.Installation
	home, employees, partners *bolt.Store
}

func openTown(t *testing.T) town {
	w := town{home: open(t), employees: open(t), partners: open(t)}
	w.Installation = verify.Installation{
		Stores: []verify.Place{{Store: w.home}, {Userstore: "employees", Store: w.employees}, {Userstore: "partners", Store: w.partners}},
		Home:   func(userstore string) bool { return userstore == "default" },
		Now:    func() time.Time { return now },
	}
	return w
}

func put(t *testing.T, s *bolt.Store, i identity.Identity) identity.Identity {
	t.Helper()
	if err := s.Insert(t.Context(), i, identity.Record{}); err != nil {
		t.Fatal(err)
	}
	return i
}

func of(userstore string) identity.Identity {
	i := person()
	i.Userstore = userstore
	return i
}

func TestInstallation(t *testing.T) {
	pin := func(t *testing.T, w town, i identity.Identity, userstore string) {
		if err := w.home.Pin(t.Context(), fed(i), userstore); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		make   func(t *testing.T, w town)
		want   []store.FindingCode
		mended int
	}{
		"sound": {make: func(t *testing.T, w town) {
			put(t, w.home, of("default"))
			pin(t, w, put(t, w.employees, of("employees")), "employees")
			pin(t, w, of("employees"), "employees") // of somebody who is gone
		}},
		"without a pin": {func(t *testing.T, w town) { put(t, w.employees, of("employees")) }, []store.FindingCode{store.FindingPinMissing}, 1},
		"pinned to another": {func(t *testing.T, w town) {
			pin(t, w, put(t, w.employees, of("employees")), "partners")
		}, []store.FindingCode{store.FindingElsewhere}, 0},
		"at home as well": {func(t *testing.T, w town) {
			i := put(t, w.home, of("default"))
			other := of("employees")
			other.Links, other.Keys = i.Links, append([]identity.Key{fed(i)}, without(other, fed(other))...)
			slices.Sort(other.Keys)
			put(t, w.employees, other)
		}, []store.FindingCode{store.FindingElsewhere}, 0},
		// Each says so of the other; a pin would decide between them.
		"in two stores, not pinned": {func(t *testing.T, w town) {
			i := put(t, w.employees, of("employees"))
			other := of("partners")
			other.Links, other.Keys = i.Links, append([]identity.Key{fed(i)}, without(other, fed(other))...)
			slices.Sort(other.Keys)
			put(t, w.partners, other)
		}, []store.FindingCode{store.FindingElsewhere, store.FindingElsewhere}, 0},
		"misplaced": {func(t *testing.T, w town) {
			put(t, w.home, of("employees"))
			put(t, w.partners, of("default"))
		}, []store.FindingCode{store.FindingMisplaced, store.FindingMisplaced}, 0},
		// A key that is mended is pinned first.
		"without its key": {func(t *testing.T, w town) {
			i := of("employees")
			i.Keys = without(i, fed(i))
			put(t, w.employees, i)
		}, []store.FindingCode{store.FindingKeyMissing}, 1},
		"without a key that is at home": {func(t *testing.T, w town) {
			i := put(t, w.home, of("default"))
			other := of("employees")
			other.Keys = without(other, fed(other))
			other.Links = i.Links
			put(t, w.employees, other)
		}, []store.FindingCode{store.FindingKeyMissing}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := openTown(t)
			c.make(t, w)
			run := func(mend bool) (codes []store.FindingCode, mended int) {
				for _, f := range w.check(t, mend) {
					codes = append(codes, f.Code)
					if f.Mended {
						mended++
					}
				}
				return codes, mended
			}
			for range 2 { // looking writes nothing
				if codes, mended := run(false); !slices.Equal(codes, c.want) || mended > 0 {
					t.Errorf("looking: %v, %d mended, want %v", codes, mended, c.want)
				}
			}
			if codes, mended := run(true); !slices.Equal(codes, c.want) || mended != c.mended {
				t.Errorf("mending: %v, %d mended, want %v, %d", codes, mended, c.want, c.mended)
			}
			if codes, _ := run(false); len(codes) != len(c.want)-c.mended {
				t.Errorf("afterwards: %v, want %d left", codes, len(c.want)-c.mended)
			}
			// Whoever is found in a store of a userstore's own is pinned there.
			page, err := w.employees.List(t.Context(), store.Query{})
			if err != nil {
				t.Fatal(err)
			}
			for _, i := range page.Identities {
				_, err := w.home.Find(t.Context(), fed(i))
				var elsewhere *store.ElsewhereError
				if known := errors.As(err, &elsewhere); c.mended > 0 && (!known || elsewhere.Pins[fed(i)] != "employees") {
					t.Errorf("home says %v of a subject of %s", err, i.Userstore)
				}
			}
		})
	}
}

func (w town) check(t *testing.T, mend bool) (all []store.Finding) {
	t.Helper()
	for token := ""; ; {
		part, err := w.Page(t.Context(), token, mend)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, part.Findings...)
		if token = part.NextPageToken; token == "" {
			return all
		}
	}
}

func TestInstallationTokens(t *testing.T) {
	w := openTown(t)
	for _, token := range []string{"x", "3.", "-1.", "1.x", ".", "0"} {
		if _, err := w.Page(t.Context(), token, false); !errors.Is(err, store.ErrPageToken) {
			t.Errorf("token %q: %v, want ErrPageToken", token, err)
		}
	}
}

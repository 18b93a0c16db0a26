//go:build unix

package kratos_test

// These tests prove, with jithook's own server, what time does to people whom a
// real Kratos has: who is pending here and there in Kratos stays, who is in
// neither goes; and who lost the account by not using it comes back where the
// provider's file says so, and not otherwise.

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store/transfer"
	"github.com/jithook/jithook/test/kratos/kratostest"
)

// aged stops jithook, has every identity be older and changed, and starts it
// again with them in a new store.
func (w world) aged(path string, by time.Duration, change func(*identity.Identity) []identity.Identity) {
	w.t.Helper()
	w.j.Stop(w.t)
	dir := w.t.TempDir()
	from, to := filepath.Join(dir, "from.jsonl"), filepath.Join(dir, "to.jsonl")
	w.j.Run(w.t, "store", "export", "--to", from)
	data, err := os.ReadFile(from)
	if err != nil {
		w.t.Fatal(err)
	}
	var people []identity.Identity
	for r := transfer.NewReader(bytes.NewReader(data)); ; {
		l, _, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			w.t.Fatal(err)
		}
		if l.Identity == nil {
			continue
		}
		for _, at := range []*time.Time{&l.Identity.CreatedAt, &l.Identity.UpdatedAt, &l.Identity.RenewedAt, &l.Identity.StateAt, &l.Identity.LastLoginAt} {
			if !at.IsZero() {
				*at = at.Add(-by)
			}
		}
		people = append(people, change(l.Identity)...)
	}
	slices.SortFunc(people, func(a, b identity.Identity) int { return strings.Compare(a.ID, b.ID) })
	lines := []transfer.Line{transfer.Header()}
	for _, i := range people {
		lines = append(lines, transfer.Line{Identity: &i})
	}
	var out []byte
	for _, l := range append(lines, transfer.Line{End: &transfer.Counts{Identities: int64(len(people))}}) {
		text, err := transfer.Encode(l)
		if err != nil {
			w.t.Fatal(err)
		}
		out = append(out, text...)
	}
	if err := errors.Join(os.WriteFile(to, out, 0o600), os.Remove(path)); err != nil {
		w.t.Fatal(err)
	}
	w.j.Run(w.t, "store", "import", "--from", to)
	w.j.Start(w.t)
}

// inFile is a world whose jithook keeps its store at the path.
func inFile(t *testing.T, file string) (w world, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "jithook.db")
	door, leadsTo := adminDoor(t, new(atomic.Bool))
	w = newWorldOn(t, kratostest.JithookConfig{
		KratosAdmin: door, Files: map[string]string{"acme.yaml": file}, Store: map[string]any{"bolt": map[string]any{"path": path}},
	}, kratostest.Config{})
	leadsTo(w.k.AdminURL)
	w.j.Start(t)
	return w, path
}

func same(i *identity.Identity) []identity.Identity { return []identity.Identity{*i} }

func TestPendingSweepAsksKratos(t *testing.T) {
	t.Parallel()
	w, path := inFile(t, acmeFile)
	w.person("known")
	if r := w.signIn(kratostest.SignIn{Subject: "known"}); r.Outcome != kratostest.OutcomeSession {
		t.Fatalf("%q %+v %s", r.Outcome, r.Messages, r.Error)
	}
	id := w.wantWhole("known").ID
	const lost = "01900000-0000-7000-8000-000000000001"
	// The commit of the one never came; Kratos never heard of the other.
	w.aged(path, 25*time.Hour, func(i *identity.Identity) []identity.Identity {
		i.State, i.LastLoginAt, i.RenewedAt = identity.StatePending, time.Time{}, i.CreatedAt
		i.Keys = slices.DeleteFunc(i.Keys, func(k identity.Key) bool { return k == identity.ExtKey(i.ExternalIDs[0]) })
		i.ExternalIDs = nil
		other := i.Clone()
		other.ID, other.Links[0].Subject = lost, "lost"
		other.Keys = []identity.Key{identity.FedKey(i.Links[0].Issuer, "lost")}
		return []identity.Identity{*i, other}
	})
	var swept struct {
		Identities []struct {
			IdentityID string `json:"identity_id"`
			Outcome    string `json:"outcome"`
		} `json:"identities"`
	}
	for _, step := range []struct{ apply, lost string }{{"false", "due"}, {"true", "done"}, {"true", ""}} {
		w.j.Post(t, "/admin/v1/sweep?rule=pending&apply="+step.apply, &swept)
		got := map[string]string{}
		for _, i := range swept.Identities {
			got[i.IdentityID] = i.Outcome
		}
		if got[id] != "known_to_kratos" || got[lost] != step.lost {
			t.Errorf("apply=%s: %v", step.apply, got)
		}
	}
	if n := len(w.ours("lost")); n != 0 {
		t.Errorf("%d identities of the lost one", n)
	}
	// Whoever stayed goes on where they stood.
	if r := w.signIn(kratostest.SignIn{Subject: "known"}); r.Outcome != kratostest.OutcomeSession {
		t.Fatalf("%q %+v %s", r.Outcome, r.Messages, r.Error)
	}
	if again := w.wantWhole("known").ID; again != id {
		t.Errorf("the identity is %s, and was %s", again, id)
	}
}

func TestLeaseAndReturn(t *testing.T) {
	t.Parallel()
	const kept = "claims: {source: [kratos_metadata, kratos_admin]}\njit:"
	for name, c := range map[string]struct {
		claims, onSuspended, inKratos string
		back                          bool
	}{
		"activate":                {kept, "activate", "active", true},
		"activate without claims": {"jit:", "activate", "active", false},
		"deny":                    {kept, "deny", "inactive", false},
	} {
		t.Run(name, func(t *testing.T) {
			w, path := inFile(t, strings.NewReplacer("jit:", c.claims, "enabled: true", "enabled: true\n  inactive_after: 30d\n  on_suspended: "+c.onSuspended).Replace(acmeFile))
			w.person("s")
			b := kratostest.NewBrowser()
			first := b.SignIn(t, w.k, kratostest.SignIn{Provider: "acme", Subject: "s"})
			if first.Outcome != kratostest.OutcomeSession {
				t.Fatalf("%q %+v %s", first.Outcome, first.Messages, first.Error)
			}
			w.aged(path, 31*24*time.Hour, same)
			var swept struct{ Identities []any }
			if w.j.Post(t, "/admin/v1/sweep?rule=inactive&apply=true", &swept); len(swept.Identities) != 1 {
				t.Fatalf("swept %v", swept.Identities)
			}
			eventually(t, "the session ends", func() bool { return b.Whoami(t, w.k) == nil })
			if state := w.k.GetIdentity(t, first.Session.Identity.ID).State; state != c.inKratos {
				t.Errorf("Kratos has them %s", state)
			}
			r := w.signIn(kratostest.SignIn{Subject: "s"})
			if back := r.Outcome == kratostest.OutcomeSession; back != c.back {
				t.Fatalf("%q %+v %s", r.Outcome, r.Messages, r.Error)
			}
			if c.back {
				w.wantWhole("s")
				w.wantDecision("s", "activated")
			}
		})
	}
}

// Whom Kratos has deleted is found, and comes back as who they were.
func TestReconcile(t *testing.T) {
	t.Parallel()
	w, _ := inFile(t, acmeFile)
	for _, subject := range []string{"gone", "there"} {
		w.person(subject)
		if r := w.signIn(kratostest.SignIn{Subject: subject}); r.Outcome != kratostest.OutcomeSession {
			t.Fatalf("%q %+v %s", r.Outcome, r.Messages, r.Error)
		}
	}
	us := w.wantWhole("gone")
	w.k.DeleteIdentity(t, us.ExternalIDs["kratos"])
	for _, apply := range []string{"false", "true"} {
		var swept struct {
			Identities []struct {
				IdentityID string `json:"identity_id"`
			}
		}
		if w.j.Post(t, "/admin/v1/sweep?rule=gone&apply="+apply, &swept); len(swept.Identities) != 1 || swept.Identities[0].IdentityID != us.ID {
			t.Fatalf("apply=%s: %+v", apply, swept)
		}
	}
	if r := w.signIn(kratostest.SignIn{Subject: "gone"}); r.Outcome != kratostest.OutcomeSession {
		t.Fatalf("%q %+v %s", r.Outcome, r.Messages, r.Error)
	}
	if again := w.wantWhole("gone").ID; again != us.ID {
		t.Errorf("the identity is %s, and was %s", again, us.ID)
	}
	w.wantWhole("there")
}

package bolt_test

// An inspection finds what in the file disagrees with the documents, mends what
// follows from them, and gives nothing to one of two who claim it. A backup is
// a store as it was at one moment while others write.

import (
	"bytes"
	"context"
	"errors"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
	"github.com/jithook/jithook/store/bolt"
)

// inspect runs a whole inspection and returns its findings.
func inspect(t *testing.T, s *bolt.Store, mend bool) []store.Finding {
	t.Helper()
	var all []store.Finding
	var checked, total int64
	for token := ""; ; {
		part, err := s.Inspect(t.Context(), token, mend)
		if err != nil {
			t.Fatal(err)
		}
		all, checked, total = append(all, part.Findings...), checked+part.Checked, max(total, part.Total)
		if token = part.NextPageToken; token == "" {
			break
		}
	}
	if !mend && checked != total {
		t.Errorf("%d entries checked of %d", checked, total)
	}
	return all
}

// linked returns an identity whose one key is that of its one link.
func linked() identity.Identity {
	i := newIdentity(0)
	i.Links = []identity.Link{{Provider: "acme", Issuer: "https://idp.example", Subject: i.ID}}
	i.Keys = []identity.Key{identity.FedKey("https://idp.example", i.ID)}
	return i
}

func TestInspect(t *testing.T) {
	type people struct{ ann, bob identity.Identity }
	keys := func(tx *bbolt.Tx) *bbolt.Bucket { return tx.Bucket([]byte("keys")) }
	for name, c := range map[string]struct {
		spoil func(tx *bbolt.Tx, p people) error
		want  []store.FindingCode // before mending
		left  []store.FindingCode // after
		check func(t *testing.T, s *bolt.Store, p people)
	}{
		"sound": {spoil: func(*bbolt.Tx, people) error { return nil }},
		"sound beside a pin": {spoil: func(tx *bbolt.Tx, _ people) error {
			return keys(tx).Put([]byte(identity.FedKey("https://idp.example", "elsewhere")), []byte("~employees"))
		}},
		// To mend it would make the person, who is elsewhere, two.
		"row of a key is a pin": {
			spoil: func(tx *bbolt.Tx, p people) error { return keys(tx).Put([]byte(p.ann.Keys[0]), []byte("~employees")) },
			want:  []store.FindingCode{store.FindingElsewhere}, left: []store.FindingCode{store.FindingElsewhere},
			check: func(t *testing.T, s *bolt.Store, p people) {
				var elsewhere *store.ElsewhereError
				if _, err := s.Find(t.Context(), p.ann.Keys[0]); !errors.As(err, &elsewhere) {
					t.Errorf("Find of the pinned key: %v, want an ElsewhereError", err)
				}
				if err := s.Delete(t.Context(), p.ann.ID, 1, p.ann.RenewedAt, identity.Record{}); err != nil {
					t.Fatal(err)
				}
				if _, err := s.Find(t.Context(), p.ann.Keys[0]); !errors.As(err, &elsewhere) {
					t.Errorf("after the deletion of who claims it: %v, want an ElsewhereError", err)
				}
			},
		},
		"row of a key is missing": {
			spoil: func(tx *bbolt.Tx, p people) error { return keys(tx).Delete([]byte(p.ann.Keys[0])) },
			want:  []store.FindingCode{store.FindingKeyIndex},
			check: annIsFound[people](func(p people) identity.Identity { return p.ann }),
		},
		"row of a key names another": {
			spoil: func(tx *bbolt.Tx, p people) error { return keys(tx).Put([]byte(p.ann.Keys[0]), []byte(p.bob.ID)) },
			want:  []store.FindingCode{store.FindingKeyIndex},
			check: annIsFound[people](func(p people) identity.Identity { return p.ann }),
		},
		"row of a key names nobody": {
			spoil: func(tx *bbolt.Tx, p people) error { return keys(tx).Put([]byte(p.ann.Keys[0]), []byte("gone")) },
			want:  []store.FindingCode{store.FindingKeyIndex},
			check: annIsFound[people](func(p people) identity.Identity { return p.ann }),
		},
		"all rows of keys are missing": {
			spoil: func(tx *bbolt.Tx, p people) error {
				return errors.Join(keys(tx).Delete([]byte(p.ann.Keys[0])), keys(tx).Delete([]byte(p.bob.Keys[0])))
			},
			want:  []store.FindingCode{store.FindingKeyIndex, store.FindingKeyIndex},
			check: annIsFound[people](func(p people) identity.Identity { return p.ann }),
		},
		"row that nobody claims": {
			spoil: func(tx *bbolt.Tx, p people) error {
				return keys(tx).Put([]byte(identity.FedKey("https://idp.example", "stranger")), []byte(p.bob.ID))
			},
			want: []store.FindingCode{store.FindingKeyIndex},
			check: func(t *testing.T, s *bolt.Store, _ people) {
				if found, err := s.Find(t.Context(), identity.FedKey("https://idp.example", "stranger")); err != nil || len(found) != 0 {
					t.Errorf("the stranger is still %d identities, %v", len(found), err)
				}
			},
		},
		// The row is not removed: the person, perhaps suspended, would be made anew.
		"identity is lost": {
			spoil: func(tx *bbolt.Tx, p people) error { return tx.Bucket([]byte("identities")).Delete([]byte(p.ann.ID)) },
			want:  []store.FindingCode{store.FindingIdentityLost, store.FindingListIndex, store.FindingListIndex, store.FindingListIndex, store.FindingListIndex},
			left:  []store.FindingCode{store.FindingIdentityLost},
			check: func(t *testing.T, s *bolt.Store, p people) {
				if _, err := s.Find(t.Context(), p.ann.Keys[0]); !errors.Is(err, store.ErrUnavailable) {
					t.Errorf("Find of who is lost: %v, want ErrUnavailable", err)
				}
			},
		},
		"identity is damaged": {
			spoil: func(tx *bbolt.Tx, p people) error {
				return tx.Bucket([]byte("identities")).Put([]byte(p.ann.ID), []byte(`{"traits":{"geheim":`))
			},
			want: []store.FindingCode{store.FindingDamaged}, left: []store.FindingCode{store.FindingDamaged},
			// It does not keep what is due for others from being found.
			check: func(t *testing.T, s *bolt.Store, p people) {
				p.bob.State, p.bob.Revision = identity.StateActive, 2
				p.bob.Arm("hr", time.Now())
				if err := s.Swap(t.Context(), p.bob, identity.Record{}); err != nil {
					t.Fatal(err)
				}
				annIsDue(t, s, p)
			},
		},
		"list lacks an identity": {
			spoil: func(tx *bbolt.Tx, p people) error { return dropRows(tx, "identities_by", p.ann.ID) },
			want:  []store.FindingCode{store.FindingListIndex},
			check: func(t *testing.T, s *bolt.Store, _ people) {
				if page, err := s.List(t.Context(), store.Query{State: identity.StateActive}); err != nil || len(page.Identities) != 1 {
					t.Errorf("List = %d identities, %v, want 1", len(page.Identities), err)
				}
			},
		},
		"a delivery is not found": {
			spoil: func(tx *bbolt.Tx, p people) error { return dropRows(tx, "due", p.ann.ID) },
			want:  []store.FindingCode{store.FindingListIndex},
			check: annIsDue[people],
		},
		"deliveries that are none": {
			spoil: func(tx *bbolt.Tx, p people) error {
				row := []byte("0123456789abcdef0123456789ab")
				return errors.Join(tx.Bucket([]byte("due")).Put([]byte("short"), nil),
					tx.Bucket([]byte("due")).Put(append(row, p.ann.ID...), nil), tx.Bucket([]byte("due")).Put(append(row, "gone"...), nil))
			},
			want:  []store.FindingCode{store.FindingListIndex, store.FindingListIndex, store.FindingListIndex},
			check: annIsDue[people],
		},
		"list has what is not there": {
			spoil: func(tx *bbolt.Tx, _ people) error {
				return errors.Join(tx.Bucket([]byte("identities_by")).Put([]byte("0123456789abcdefgone"), nil),
					tx.Bucket([]byte("decisions_by")).Put([]byte("short"), nil))
			},
			want: []store.FindingCode{store.FindingListIndex, store.FindingListIndex},
		},
		"list lacks records": {
			spoil: func(tx *bbolt.Tx, _ people) error { return dropRows(tx, "decisions_by", "") },
			want:  []store.FindingCode{store.FindingListIndex, store.FindingListIndex},
			check: func(t *testing.T, s *bolt.Store, p people) {
				if page, err := s.Decisions(t.Context(), store.DecisionQuery{IdentityID: p.ann.ID}); err != nil || len(page.Records) != 1 {
					t.Errorf("Decisions = %d records, %v, want 1", len(page.Records), err)
				}
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "jithook.db")
			s := open(t, path)
			p := people{linked(), linked()}
			p.ann.State = identity.StateActive
			p.ann.Arm("hr", time.Now())
			insert(t, s, p.ann)
			insert(t, s, p.bob)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			raw(t, path, func(tx *bbolt.Tx) error { return c.spoil(tx, p) })
			s = open(t, path)
			wantFindings(t, "looking", inspect(t, s, false), c.want, 0)
			wantFindings(t, "looking again: looking wrote", inspect(t, s, false), c.want, 0)
			wantFindings(t, "mending", inspect(t, s, true), c.want, len(c.want)-len(c.left))
			wantFindings(t, "afterwards", inspect(t, s, false), c.left, 0)
			if c.check != nil {
				c.check(t, s, p)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if len(c.left) == 0 {
				wantConsistent(t, path)
			}
		})
	}
}

func annIsFound[P any](ann func(P) identity.Identity) func(*testing.T, *bolt.Store, P) {
	return func(t *testing.T, s *bolt.Store, p P) {
		t.Helper()
		found, err := s.Find(t.Context(), ann(p).Keys...)
		if err != nil || len(found) != 1 || found[0].ID != ann(p).ID {
			t.Errorf("Find = %v, %v, want the identity", found, err)
		}
	}
}

func annIsDue[P any](t *testing.T, s *bolt.Store, _ P) {
	t.Helper()
	if due, err := s.Due(t.Context(), "hr", time.Now(), 10); err != nil || len(due) != 1 {
		t.Errorf("Due = %d identities, %v, want one", len(due), err)
	}
}

// dropRows removes the rows of an index that are about id.
func dropRows(tx *bbolt.Tx, bucket, id string) error {
	var rows [][]byte
	b := tx.Bucket([]byte(bucket))
	if err := b.ForEach(func(k, _ []byte) error {
		if strings.HasSuffix(string(k), id) {
			rows = append(rows, bytes.Clone(k))
		}
		return nil
	}); err != nil {
		return err
	}
	for _, k := range rows {
		if err := b.Delete(k); err != nil {
			return err
		}
	}
	return nil
}

func wantFindings(t *testing.T, when string, got []store.Finding, want []store.FindingCode, mended int) {
	t.Helper()
	var codes []store.FindingCode
	n := 0
	for _, f := range got {
		codes = append(codes, f.Code)
		if f.Mended {
			n++
		}
		for _, secret := range []string{"geheim", "fed:", "idp.example"} {
			if strings.Contains(f.Text, secret) {
				t.Errorf("a finding gives away %q: %s", secret, f.Text)
			}
		}
	}
	slices.Sort(codes)
	want = slices.Sorted(slices.Values(want))
	if !slices.Equal(codes, want) || n != mended {
		t.Errorf("%s: %v, %d mended; want %v, %d mended", when, got, n, want, mended)
	}
}

// Two identities claim one key: neither gets it, whatever the row says.
func TestInspectGivesToNeither(t *testing.T) {
	for name, row := range map[string]func(tx *bbolt.Tx, k, first, second []byte) error{
		"no row":            func(tx *bbolt.Tx, k, _, _ []byte) error { return tx.Bucket([]byte("keys")).Delete(k) },
		"row of the first":  func(tx *bbolt.Tx, k, first, _ []byte) error { return tx.Bucket([]byte("keys")).Put(k, first) },
		"row of the second": func(tx *bbolt.Tx, k, _, second []byte) error { return tx.Bucket([]byte("keys")).Put(k, second) },
		"row of nobody":     func(tx *bbolt.Tx, k, _, _ []byte) error { return tx.Bucket([]byte("keys")).Put(k, []byte("gone")) },
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "jithook.db")
			s := open(t, path)
			first, second := linked(), linked()
			insert(t, s, first)
			insert(t, s, second)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			var before []byte
			raw(t, path, func(tx *bbolt.Tx) error {
				docs := tx.Bucket([]byte("identities"))
				doc := bytes.ReplaceAll(bytes.Clone(docs.Get([]byte(second.ID))), []byte(second.Keys[0]), []byte(first.Keys[0]))
				return errors.Join(docs.Put([]byte(second.ID), doc), row(tx, []byte(first.Keys[0]), []byte(first.ID), []byte(second.ID)))
			})
			look := func(tx *bbolt.Tx) error {
				before = bytes.Clone(tx.Bucket([]byte("keys")).Get([]byte(first.Keys[0])))
				return nil
			}
			view(t, path, look)
			was := before
			s = open(t, path)
			found := inspect(t, s, true)
			if !slices.ContainsFunc(found, func(f store.Finding) bool { return f.Code == store.FindingKeyTaken && !f.Mended }) {
				t.Errorf("findings %v, want that the key is taken", found)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if view(t, path, look); !bytes.Equal(was, before) {
				t.Errorf("the key led to %q and leads to %q", was, before)
			}
		})
	}
}

// Many pages, and writers meanwhile: no finding, and nothing is spoilt.
func TestInspectWhileServing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "jithook.db")
	s := open(t, path)
	var records []identity.Record
	for range 2500 {
		records = append(records, newRecord(newIdentity(0)))
	}
	if err := s.Record(t.Context(), records, nil); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for ctx.Err() == nil {
				i := newIdentity(2)
				if s.Insert(ctx, i, newRecord(i)) != nil {
					return
				}
				i.Revision, i.Keys, i.State = 2, newIdentity(2).Keys, identity.StateActive
				_ = s.Swap(ctx, i, newRecord(i)) // ends with ctx
			}
		})
	}
	for range 5 {
		for token, parts := "", 0; ; {
			part, err := s.Inspect(t.Context(), token, true)
			if err != nil || len(part.Findings) > 0 {
				t.Fatalf("Inspect = %v, %v, want no finding", part.Findings, err)
			}
			if parts++; part.NextPageToken == "" {
				if parts < 8 {
					t.Errorf("%d parts: the pages are not bounded", parts)
				}
				break
			}
			token = part.NextPageToken
		}
	}
	cancel()
	all.Wait()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	wantConsistent(t, path)
}

func TestInspectTokens(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "jithook.db"))
	for _, token := range []string{"x", store.NewPageToken('i', "0"), store.NewPageToken('v', "9"), store.NewPageToken('v', "/")} {
		if _, err := s.Inspect(t.Context(), token, true); !errors.Is(err, store.ErrPageToken) {
			t.Errorf("Inspect of token %q: %v, want ErrPageToken", token, err)
		}
	}
}

// gate blocks after its first write until it is opened.
type gate struct {
	bytes.Buffer
	once   sync.Once
	began  chan struct{}
	opened chan struct{}
}

func (g *gate) Write(p []byte) (int, error) {
	n, err := g.Buffer.Write(p)
	g.once.Do(func() { close(g.began); <-g.opened })
	return n, err
}

func TestBackupWhileServing(t *testing.T) {
	dir := t.TempDir()
	s := open(t, filepath.Join(dir, "jithook.db"))
	kept := newIdentity(2)
	insert(t, s, kept)
	g := &gate{began: make(chan struct{}), opened: make(chan struct{})}
	var size int64
	done := make(chan error, 1)
	go func() {
		done <- s.Backup(context.Background(), func(n int64) io.Writer { size = n; return g })
	}()
	<-g.began
	later := newIdentity(2)
	insert(t, s, later) // the backup does not keep logins waiting
	swapped := kept
	swapped.Revision, swapped.State = 2, identity.StateSuspended
	if err := s.Swap(t.Context(), swapped, newRecord(swapped)); err != nil {
		t.Fatal(err)
	}
	close(g.opened)
	if err := <-done; err != nil || int64(g.Len()) != size {
		t.Fatalf("Backup wrote %d of %d bytes, %v", g.Len(), size, err)
	}
	path := filepath.Join(dir, "copy.db")
	write(g.Bytes())(t, path)
	c := open(t, path)
	if i, err := c.Get(t.Context(), kept.ID); err != nil || i.Revision != 1 {
		t.Errorf("in the copy: revision %d, %v, want the one when the backup began", i.Revision, err)
	}
	if _, err := c.Get(t.Context(), later.ID); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("in the copy: who came later: %v, want ErrNotFound", err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	wantConsistent(t, path)
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

// A reader who goes away is no failure of the store.
func TestBackupToNobody(t *testing.T) {
	s, err := bolt.Open(filepath.Join(t.TempDir(), "jithook.db"), bolt.Options{Failed: func(op string) { t.Errorf("%s failed", op) }})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Backup(t.Context(), func(int64) io.Writer { return brokenPipe{} }); !errors.Is(err, io.ErrClosedPipe) || errors.Is(err, store.ErrUnavailable) {
		t.Errorf("Backup to nobody: %v, want the writer's error", err)
	}
}

// Whoever handed over a writer may use it again as soon as Backup returns, also
// when the context ended in the middle.
func TestBackupLeavesTheWriterAlone(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "jithook.db"))
	g := &gate{began: make(chan struct{}), opened: make(chan struct{})}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Backup(ctx, func(int64) io.Writer { return g }) }()
	<-g.began
	cancel()
	select {
	case <-done:
		close(g.opened)
		t.Fatal("Backup returned while it was writing")
	case <-time.After(100 * time.Millisecond):
	}
	close(g.opened)
	if err := <-done; !errors.Is(err, context.Canceled) || !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("Backup whose context ended: %v", err)
	}
}

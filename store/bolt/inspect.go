package bolt

import (
	"bytes"
	"context"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
)

var (
	_ store.Inspector = (*Store)(nil)
	_ store.Backuper  = (*Store)(nil)
	_ store.Counter   = (*Store)(nil)
)

// inspectPage is how many entries of the file one part of an inspection looks
// at: some milliseconds, in which a mending one keeps other writers waiting.
const inspectPage = 1000

// tokenInspection is the kind of an inspection's page tokens. Its id is the
// phase, one digit, and the key of the bucket where the part ended.
const tokenInspection = 'v'

// inspection is one part on its way, in one transaction. The documents are
// right and everything else follows from them.
type inspection struct {
	tx       *bbolt.Tx
	defects  []defect
	suspects []suspect
}

// defect is a finding and, if it may be mended, how. mend runs in a later
// transaction: it looks again, and reports whether it mended.
type defect struct {
	finding store.Finding
	mend    func(*bbolt.Tx) (bool, error)
}

// phase looks at the entries of one bucket.
type phase struct {
	bucket []byte
	look   func(in *inspection, key, value []byte)
}

// phases are in the order of the inspection.
func phases() []phase {
	return []phase{
		{bucketIdentities, (*inspection).identity},
		{bucketKeys, (*inspection).keyRow},
		{bucketIdentitiesBy, func(in *inspection, key, _ []byte) { in.listRow(listOfIdentities(), key) }},
		{bucketDue, func(in *inspection, key, _ []byte) { in.listRow(listOfDue(), key) }},
		{bucketDecisions, func(in *inspection, key, _ []byte) { in.listed(listOfDecisions(), key) }},
		{bucketDecisionsBy, func(in *inspection, key, _ []byte) { in.listRow(listOfDecisions(), key) }},
	}
}

// Inspect compares documents, keys and indexes; see store.Inspector. A part
// looks first in a read transaction, and writes only if there is something to
// mend.
func (s *Store) Inspect(ctx context.Context, pageToken string, mend bool) (store.Inspection, error) {
	const op = "inspect store"
	at, err := store.ParsePageToken(tokenInspection, pageToken)
	if err == nil && pageToken != "" && (at == "" || int(at[0]-'0') >= len(phases())) {
		err = store.ErrPageToken
	}
	if err != nil {
		return store.Inspection{}, explain(op, err)
	}
	var out store.Inspection
	var defects []defect
	err = s.view(ctx, op, func(tx *bbolt.Tx) error {
		in := &inspection{tx: tx}
		if at == "" {
			at = "0"
			for _, p := range phases() {
				out.Total += int64(tx.Bucket(p.bucket).Stats().KeyN)
			}
		}
		out.Checked, out.NextPageToken = in.part(int(at[0]-'0'), at[1:])
		err := in.resolve(ctx)
		defects = in.defects
		return err
	})
	if err != nil {
		return store.Inspection{}, err
	}
	mended := make([]bool, len(defects))
	if mend && slices.ContainsFunc(defects, func(d defect) bool { return d.mend != nil }) {
		if mended, err = s.mend(ctx, op, defects); err != nil {
			return store.Inspection{}, err
		}
	}
	out.Findings = make([]store.Finding, len(defects))
	for n, d := range defects {
		out.Findings[n] = d.finding
		out.Findings[n].Mended = mended[n]
	}
	return out, nil
}

// mend mends what may be mended in one transaction.
func (s *Store) mend(ctx context.Context, op string, defects []defect) ([]bool, error) {
	mended := make([]bool, len(defects))
	err := s.update(ctx, op, func(tx *bbolt.Tx) (err error) {
		for n, d := range defects {
			if d.mend == nil {
				continue
			}
			if mended[n], err = d.mend(tx); err != nil {
				return err
			}
		}
		return nil
	})
	return mended, err
}

// part looks at the entries of a phase behind position, and returns how many
// they were and the token of the next part.
func (in *inspection) part(n int, position string) (checked int64, next string) {
	all := phases()
	cursor := in.tx.Bucket(all[n].bucket).Cursor()
	key, value := cursor.Seek([]byte(position))
	if position != "" && string(key) == position {
		key, value = cursor.Next()
	}
	last := position
	for ; key != nil; key, value = cursor.Next() {
		if checked == inspectPage {
			return checked, store.NewPageToken(tokenInspection, string(rune('0'+n))+last)
		}
		all[n].look(in, key, value)
		checked, last = checked+1, string(key)
	}
	if n+1 == len(all) {
		return checked, ""
	}
	return checked, store.NewPageToken(tokenInspection, string(rune('0'+n+1)))
}

func (in *inspection) found(f store.Finding, mend func(*bbolt.Tx) (bool, error)) {
	in.defects = append(in.defects, defect{f, mend})
}

// identity looks whether the keys of a document lead to it, and its lists.
func (in *inspection) identity(id, doc []byte) {
	i, err := decodeIdentity(id, doc)
	if err != nil {
		in.found(store.Finding{Code: store.FindingDamaged, IdentityID: string(id),
			Text: "the identity cannot be read, and its logins fail: restore a backup"}, nil)
		return
	}
	rows := in.tx.Bucket(bucketKeys)
	for _, k := range i.Keys {
		if row := rows.Get([]byte(k)); !bytes.Equal(row, id) {
			in.suspects = append(in.suspects, suspect{key: k, row: bytes.Clone(row), listedBy: i.ID})
		}
	}
	in.listed(listOfIdentities(), id)
	in.listed(listOfDue(), id)
}

// keyRow looks whether the identity that a row of the keys names claims it. A
// pin names none.
func (in *inspection) keyRow(key, id []byte) {
	if _, pinned := pinOf(id); pinned {
		return
	}
	i, err := load(in.tx, id)
	if err != nil || i != nil && claims(i, identity.Key(key)) {
		return // a damaged document is reported as such; its keys stay with it
	}
	in.suspects = append(in.suspects, suspect{key: identity.Key(key), row: bytes.Clone(id)})
}

// listing is an index that lists are read from, and what of.
type listing struct {
	what string
	by   []byte
	// length is that of the terms.
	length int
	// lacking says what it means if the index lacks a document.
	lacking string
	// terms returns what the index must know of the document, nil if it is
	// gone; ok is false if it cannot be read.
	terms func(tx *bbolt.Tx, id []byte) (terms [][]byte, ok bool)
	about func(id string) store.Finding
}

func listOfIdentities() listing {
	return identityListing(bucketIdentitiesBy, termLength, listLacks+"identity", terms)
}

func listOfDue() listing {
	return identityListing(bucketDue, dueTermLength, "what other systems have yet to learn of it is not delivered", dueTerms)
}

const listLacks = "lists that are filtered lack the "

func identityListing(by []byte, length int, lacking string, terms func(*identity.Identity) [][]byte) listing {
	return listing{
		"identity", by, length, lacking,
		func(tx *bbolt.Tx, id []byte) ([][]byte, bool) {
			i, err := load(tx, id)
			if err != nil || i == nil {
				return nil, err == nil
			}
			return terms(i), true
		},
		func(id string) store.Finding { return store.Finding{IdentityID: id} },
	}
}

func listOfDecisions() listing {
	return listing{
		"decision record", bucketDecisionsBy, termLength, listLacks + "decision record",
		func(tx *bbolt.Tx, id []byte) ([][]byte, bool) {
			r, err := loadRecord(tx, id)
			if err != nil || r == nil {
				return nil, err == nil
			}
			return recordTerms(r), true
		},
		func(id string) store.Finding { return store.Finding{DecisionID: id} },
	}
}

// listed looks whether the index knows a document under all its terms.
func (in *inspection) listed(l listing, id []byte) {
	want, ok := l.terms(in.tx, id)
	if !ok {
		f := l.about(string(id))
		f.Code, f.Text = store.FindingDamaged, "the "+l.what+" cannot be read: restore a backup"
		in.found(f, nil)
		return
	}
	if len(missing(in.tx, l, id, want)) == 0 {
		return
	}
	f := l.about(string(id))
	f.Code, f.Text = store.FindingListIndex, l.lacking
	name := bytes.Clone(id)
	in.found(f, func(tx *bbolt.Tx) (bool, error) {
		want, ok := l.terms(tx, name)
		if !ok {
			return false, nil
		}
		for _, t := range missing(tx, l, name, want) {
			if err := tx.Bucket(l.by).Put(append(t, name...), nil); err != nil {
				return false, err
			}
		}
		return true, nil
	})
}

func missing(tx *bbolt.Tx, l listing, id []byte, want [][]byte) [][]byte {
	cursor := tx.Bucket(l.by).Cursor()
	return slices.DeleteFunc(want, func(t []byte) bool {
		row := append(slices.Clip(t), id...)
		key, _ := cursor.Seek(row)
		return bytes.Equal(key, row)
	})
}

// listRow looks whether a row of an index stands for a document as it is.
func (in *inspection) listRow(l listing, row []byte) {
	stray := func(tx *bbolt.Tx, row []byte) bool {
		if len(row) <= l.length {
			return true
		}
		want, ok := l.terms(tx, row[l.length:])
		return ok && !slices.ContainsFunc(want, func(t []byte) bool { return bytes.Equal(t, row[:l.length]) })
	}
	if !stray(in.tx, row) {
		return
	}
	f := l.about(string(row[min(l.length, len(row)):]))
	f.Code, f.Text = store.FindingListIndex, "an index names the "+l.what+" for what it is not, or it is not there"
	name := bytes.Clone(row)
	in.found(f, func(tx *bbolt.Tx) (bool, error) {
		if !stray(tx, name) {
			return true, nil // by somebody else meanwhile
		}
		return true, tx.Bucket(l.by).Delete(name)
	})
}

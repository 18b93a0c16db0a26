// Package transfer moves a userstore as JSON lines: out of any backend, into
// any other, so that a second export equals the first byte for byte. It owns
// the format of those lines and what an import refuses.
//
// A file is a header, the identities in the order of their ids, the decision
// records, newest first, and an end with the number of both:
//
//	{"jithook_export":1}
//	{"identity":{…}}
//	{"decision":{…}}
//	{"end":{"identities":1,"decisions":1}}
//
// It must not know where the lines come from or go to, nor how a backend
// stores what they say. No error of it holds a key, a subject or a value.
package transfer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/internal/exactjson"
)

// Version is the version of the format, in the header.
const Version = 1

// MaxLine is the longest line, in bytes, its end not counted.
const MaxLine = 1 << 20

// MaxDepth is how deep an identity's traits may nest, as in everything else that
// is read from outside.
const MaxDepth = 64

// Line is one line: exactly one of its members is set.
type Line struct {
	Version  int                `json:"jithook_export,omitempty"`
	Identity *identity.Identity `json:"identity,omitempty"`
	Decision *identity.Record   `json:"decision,omitempty"`
	End      *Counts            `json:"end,omitempty"`
}

// Counts is how many of each a file holds.
type Counts struct {
	Identities int64 `json:"identities"`
	Decisions  int64 `json:"decisions"`
}

// Total is the number of lines between header and end.
func (c Counts) Total() int64 { return c.Identities + c.Decisions }

// Header is the first line.
func Header() Line { return Line{Version: Version} }

// Encode returns the one form in which a line is written, with its newline.
// Errors: a value that JSON cannot hold, a line longer than MaxLine; they name
// the id.
func Encode(l Line) ([]byte, error) {
	what, id := "line", ""
	switch {
	case l.Identity != nil:
		what, id = "identity", l.Identity.ID
		i, err := normal(*l.Identity)
		if err != nil {
			return nil, fmt.Errorf("identity %s: %w", id, err)
		}
		l.Identity = &i
	case l.Decision != nil:
		what, id = "decision record", l.Decision.ID
		r := normalRecord(*l.Decision)
		l.Decision = &r
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(l); err != nil { // its text may hold a value
		return nil, fmt.Errorf("%s %s cannot be written as JSON: is a time out of the years 0 to 9999?", what, id)
	}
	if b.Len() > MaxLine+1 {
		return nil, fmt.Errorf("%s %s is longer than the %d bytes that a line may have", what, id, MaxLine)
	}
	return b.Bytes(), nil
}

// normal is an identity in which nothing depends on the backend: times in UTC,
// no nil lists, numbers that keep their type.
func normal(i identity.Identity) (identity.Identity, error) {
	i = i.UTC()
	i.Provenance, i.Groups, i.Links = filled(i.Provenance), filled(i.Groups), filled(i.Links)
	i.ExternalIDs, i.Keys = filled(i.ExternalIDs), filled(i.Keys)
	traits, err := exactjson.Encode(i.Traits)
	if err != nil {
		return i, err
	}
	if i.Traits = traits; traits == nil {
		i.Traits = map[string]any{}
	}
	return i, nil
}

func normalRecord(r identity.Record) identity.Record {
	r.At, r.CommittedAt = r.At.UTC(), r.CommittedAt.UTC()
	r.Reasons = filled(r.Reasons)
	return r
}

func filled[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

var errForm = errors.New("it is not in the form in which an export writes it: a name that is unknown, missing, doubled or in other letters, " +
	"another order, spaces, null, or a number that would not come back the same")

// Decode reads one line, without its newline. It takes nothing but what Encode
// writes, to the byte: whatever a reader might understand in two ways is
// refused, and nothing that a store may hold is lost, as it would be to a
// decoder that folds letter case or drops nulls.
func Decode(text []byte) (Line, error) {
	var l Line
	if len(text) > MaxLine {
		return Line{}, fmt.Errorf("it is longer than %d bytes", MaxLine)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&l); err != nil {
		var malformed *json.SyntaxError
		if errors.As(err, &malformed) {
			return Line{}, fmt.Errorf("it is no JSON at byte %d", malformed.Offset)
		}
		return Line{}, errForm // the error's own text may hold a value
	}
	if l.Version > Version {
		return Line{}, fmt.Errorf("the file is of version %d and this jithook knows %d: use a newer one", l.Version, Version)
	}
	members := 0
	for _, there := range []bool{l.Version == Version, l.Identity != nil, l.Decision != nil, l.End != nil} {
		if there {
			members++
		}
	}
	if members != 1 {
		return Line{}, errForm
	}
	if l.Identity != nil {
		if err := exactjson.Decode(l.Identity.Traits); err != nil {
			return Line{}, errForm
		}
	}
	again, err := Encode(l)
	if err != nil || !bytes.Equal(bytes.TrimSuffix(again, []byte("\n")), text) {
		return Line{}, errForm
	}
	return l, nil
}

// Check says why an import must not take a line, beyond its form. What a store
// relies on is checked here: that a key is that of a link, above all, since who
// holds a key holds an account.
func (l Line) Check() error {
	switch {
	case l.Identity != nil:
		return checkIdentity(l.Identity)
	case l.Decision != nil:
		if !identity.IsID(l.Decision.ID) || l.Decision.At.IsZero() || l.Decision.Decision == "" {
			return errors.New("the decision record lacks its id (a UUID in lower case), time or decision")
		}
	}
	return nil
}

func checkIdentity(i *identity.Identity) error {
	states := []identity.State{identity.StatePending, identity.StateActive, identity.StateSuspended, identity.StateDeprovisioned, identity.StateDeleted}
	switch {
	case !identity.IsID(i.ID):
		return errors.New("the identity's id is no UUID in lower case")
	case i.Userstore == "" || i.Revision < 1 || i.CreatedAt.IsZero():
		return errors.New("the identity lacks its userstore, revision or time of creation")
	case deeper(i.Traits, MaxDepth):
		return fmt.Errorf("a trait of the identity nests deeper than %d", MaxDepth)
	case !slices.Contains(states, i.State):
		return errors.New("the identity's state is none that this jithook knows")
	}
	if err := checkOutbox(i); err != nil {
		return err
	}
	if err := checkProposals(i); err != nil {
		return err
	}
	if err := checkHolds(i); err != nil {
		return err
	}
	if i.State == identity.StateDeleted {
		return checkDeleted(i)
	}
	want := map[identity.Key]bool{}
	for _, l := range i.Links {
		if identity.CheckSubject(l.Subject) != nil || l.Issuer == "" || l.Provider == "" {
			return errors.New("a link of the identity lacks provider, issuer or a usable subject")
		}
		want[identity.FedKey(l.Issuer, l.Subject)] = true
	}
	for _, e := range i.ExternalIDs {
		want[identity.ExtKey(e)] = true
	}
	for _, c := range i.Consents {
		if !strings.HasPrefix(c.Path, "/") || c.Version == "" || c.At.IsZero() || c.Source == "" {
			return errors.New("a consent of the identity lacks its path, version, time or source")
		}
	}
	seen := map[identity.Key]bool{}
	for _, k := range i.Keys {
		kind := k.Kind()
		derived := kind == identity.KeyFed || kind == identity.KeyExt
		switch {
		case seen[k] || !derived && kind != identity.KeyMail && kind != identity.KeyName || len(k) != len(kind)+1+keyHash:
			return errors.New("the identity has a key that is no key, or twice")
		case derived && !want[k] && !i.Barred(): // whoever is barred may hold more: it bars more
			return errKeys
		}
		seen[k] = true
	}
	for k := range want {
		if !seen[k] {
			return errKeys
		}
	}
	return nil
}

// deeper reports whether lists and maps nest deeper than levels.
func deeper(v any, levels int) bool {
	switch v := v.(type) {
	case map[string]any:
		return levels == 0 || slices.ContainsFunc(slices.Collect(maps.Values(v)), func(in any) bool { return deeper(in, levels-1) })
	case []any:
		return levels == 0 || slices.ContainsFunc(v, func(in any) bool { return deeper(in, levels-1) })
	}
	return false
}

// maxTrace bounds the traceparent of an outbox's entry, in bytes.
const maxTrace = 64

// checkOutbox holds an outbox to what workers rely on.
func checkOutbox(i *identity.Identity) error {
	if i.OutboxVersion < 0 {
		return errors.New("the identity's outbox version is negative")
	}
	for n, d := range i.Outbox {
		if d.Target == "" || i.DeliveryTo(d.Target) != n || d.Revision < 1 || d.Revision > i.Revision || d.Since.IsZero() || d.Due.IsZero() || d.Attempts < 0 || len(d.Trace) > maxTrace {
			return errors.New("the identity's outbox has an entry without target, revision or time, with too long a trace, or two for one target")
		}
	}
	seen := map[string]bool{}
	for _, r := range i.Resources {
		if r.Target == "" || seen[r.Target] {
			return errors.New("the identity has a resource without target, or two of one target")
		}
		seen[r.Target] = true
	}
	return nil
}

// checkProposals holds proposals to what an administrator relies on: one for
// each subject, and none for who has the link already.
func checkProposals(i *identity.Identity) error {
	for n, p := range i.Proposals {
		if p.Provider == "" || p.Issuer == "" || identity.CheckSubject(p.Subject) != nil || p.At.IsZero() ||
			!slices.Contains(identity.ProposalStates(), p.State) || i.Proposal(p.Issuer, p.Subject) != n || i.Link(p.Issuer, p.Subject) >= 0 {
			return errors.New("the identity has a proposed link without provider, issuer, usable subject, known state or time, or two for one subject, or one for a link that it has")
		}
	}
	return nil
}

// keyHash is the length of the hash in an identity.Key.
const keyHash = 43

var errKeys = errors.New("the identity's keys are not those of its links and external ids: run `jithook store verify` on the store that it comes from, and export again")

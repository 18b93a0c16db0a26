package transfer_test

// What an export writes an import brings back to the byte, whatever a store may
// hold; a line that could be understood in two ways, a file that was cut, and
// keys that are not those of the links are refused; nothing in the target is
// ever replaced.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
	"github.com/jithook/jithook/store/bolt"
	"github.com/jithook/jithook/store/transfer"
)

func open(t *testing.T) *bolt.Store {
	t.Helper()
	dir, err := os.MkdirTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	s, err := bolt.Open(filepath.Join(dir, "jithook.db"), bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

type fataler interface{ Fatal(...any) }

func export(t fataler, s transfer.Source, at transfer.Position) []byte {
	var b bytes.Buffer
	if err := transfer.Export(context.Background(), s, at, func(line []byte) error { b.Write(line); return nil }); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// read returns the identities and decisions of a file, each checked.
func read(t fataler, file []byte) []transfer.Line {
	var lines []transfer.Line
	for r := transfer.NewReader(bytes.NewReader(file)); ; {
		l, _, err := r.Next()
		if errors.Is(err, io.EOF) {
			return lines
		}
		if err == nil {
			err = l.Check()
		}
		if err != nil {
			t.Fatal(err)
		}
		if l.Identity != nil || l.Decision != nil {
			lines = append(lines, l)
		}
	}
}

func bring(t fataler, s transfer.Target, lines []transfer.Line) map[transfer.Outcome]int {
	out := map[transfer.Outcome]int{}
	for batch := range slices.Chunk(lines, 100) {
		outcomes, err := transfer.Import(context.Background(), s, batch)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range outcomes {
			out[o]++
		}
	}
	return out
}

// values draws what a trait may hold.
func values(depth int) *rapid.Generator[any] {
	return rapid.Custom(func(t *rapid.T) any {
		kinds := 8
		if depth == 0 {
			kinds = 6
		}
		switch rapid.IntRange(0, kinds-1).Draw(t, "kind") {
		case 0:
			return rapid.Int64().Draw(t, "int")
		case 1:
			return rapid.Float64Range(-math.MaxFloat64, math.MaxFloat64).Draw(t, "float")
		case 2:
			return float64(rapid.Int64Range(-1<<53, 1<<53).Draw(t, "whole float"))
		case 3:
			return rapid.Bool().Draw(t, "bool")
		case 4:
			return nil
		case 5:
			return rapid.String().Draw(t, "text")
		case 6:
			return append([]any{}, rapid.SliceOfN(values(depth-1), 0, 3).Draw(t, "list")...)
		}
		return rapid.MapOfN(rapid.String(), values(depth-1), 0, 3).Draw(t, "map")
	})
}

func times() *rapid.Generator[time.Time] {
	return rapid.Custom(func(t *rapid.T) time.Time {
		zone := time.FixedZone("", rapid.IntRange(-12, 14).Draw(t, "zone")*3600)
		return time.Unix(rapid.Int64Range(1, 4e9).Draw(t, "s"), rapid.Int64Range(0, 999_999_999).Draw(t, "ns")).In(zone)
	})
}

func identities() *rapid.Generator[identity.Identity] {
	return rapid.Custom(func(t *rapid.T) identity.Identity {
		i := identity.Identity{
			ID: uuid.Must(uuid.NewV7()).String(), Userstore: rapid.SampledFrom([]string{"default", "employees"}).Draw(t, "userstore"),
			State:     rapid.SampledFrom([]identity.State{identity.StatePending, identity.StateActive, identity.StateSuspended}).Draw(t, "state"),
			Traits:    rapid.MapOfN(rapid.String(), values(2), 0, 4).Draw(t, "traits"),
			Revision:  rapid.Int64Range(1, 9).Draw(t, "revision"),
			CreatedAt: times().Draw(t, "created"), UpdatedAt: times().Draw(t, "updated"),
		}
		if rapid.Bool().Draw(t, "logged in") {
			i.LastLoginAt, i.RenewedAt = times().Draw(t, "login"), times().Draw(t, "renewed")
			i.Groups = []identity.Group{{Name: rapid.String().Draw(t, "group"), Source: "provider:acme"}}
			for n := range rapid.IntRange(0, 2).Draw(t, "holds") {
				i.Holds = append(i.Holds, identity.Hold{ID: fmt.Sprint(i.ID, ".", n), Source: "provider:acme", At: times().Draw(t, "held"), Groups: i.Groups})
			}
			i.Provenance = []identity.Provenance{{Path: "/email", Source: "admin", At: times().Draw(t, "at"), VerifiedBy: "provider:acme", VerifiedAt: times().Draw(t, "verified")}}
			i.Consents = []identity.Consent{{Path: "/terms", Version: rapid.StringN(1, 9, -1).Draw(t, "version"), At: times().Draw(t, "accepted"), Source: "provider:acme"}}
		}
		for n := range rapid.IntRange(0, 2).Draw(t, "links") {
			l := identity.Link{Provider: "acme", Issuer: "https://idp.example", Subject: fmt.Sprint(i.ID, "<&é>", n), LinkedAt: times().Draw(t, "linked")}
			l.Match = rapid.SampledFrom([]identity.Match{{}, {Rule: "a.yaml:1:2", Path: "/email", StoredBy: "provider:b", ClaimedBy: "provider:acme"}}).Draw(t, "match")
			i.Links, i.Keys = append(i.Links, l), append(i.Keys, identity.FedKey(l.Issuer, l.Subject))
		}
		for n, state := range rapid.SliceOfN(rapid.SampledFrom(identity.ProposalStates()), 0, 2).Draw(t, "proposals") {
			i.Proposals = append(i.Proposals, identity.Proposal{
				Provider: "globex", Issuer: "https://globex.example", Subject: fmt.Sprint("g-", n), State: state,
				At: times().Draw(t, "proposed"), Expires: rapid.SampledFrom([]time.Time{{}, i.CreatedAt}).Draw(t, "expires"),
			})
		}
		for n := range rapid.IntRange(0, 2).Draw(t, "deliveries") {
			i.Outbox = append(i.Outbox, identity.Delivery{
				Target: fmt.Sprint("t", n), Revision: i.Revision, Since: times().Draw(t, "since"), Due: times().Draw(t, "due"),
				Attempts: rapid.IntRange(0, 3).Draw(t, "attempts"), Dead: rapid.Bool().Draw(t, "dead"), Lease: rapid.SampledFrom([]string{"", "l"}).Draw(t, "lease"),
				Trace: rapid.SampledFrom([]string{"", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}).Draw(t, "trace"),
			})
			i.OutboxVersion = rapid.Int64Range(0, 9).Draw(t, "outbox version")
		}
		for n := range rapid.IntRange(0, 2).Draw(t, "resources") {
			i.Remember(identity.Resource{
				Target: fmt.Sprint("t", n), ID: rapid.SampledFrom([]string{"", "u-1"}).Draw(t, "id"), Groups: rapid.SliceOfN(rapid.StringN(1, 5, -1), 0, 2).Draw(t, "granted"),
				Told: rapid.SampledFrom([]string{"", "x"}).Draw(t, "told"),
			})
		}
		if rapid.Bool().Draw(t, "external") {
			e := identity.ExternalID{System: identity.SystemKratos, Instance: "main", ID: i.ID}
			i.ExternalIDs, i.Keys = []identity.ExternalID{e}, append(i.Keys, identity.ExtKey(e), identity.MailKey(i.Userstore, i.ID))
		}
		return i
	})
}

func decisions() *rapid.Generator[identity.Record] {
	return rapid.Custom(func(t *rapid.T) identity.Record {
		r := identity.Record{
			ID: uuid.Must(uuid.NewV7()).String(), At: times().Draw(t, "at"), Hook: identity.HookPrepare, Decision: identity.Denied,
			FlowID: rapid.String().Draw(t, "flow"), Duration: time.Duration(rapid.Int64().Draw(t, "took")),
		}
		if rapid.Bool().Draw(t, "reasons") {
			r.Reasons = []identity.Reason{identity.Because(identity.CodeCreated)}
			r.Change = []identity.Change{{Path: "/traits/email", Op: identity.OpSet}}
			r.CommittedAt = times().Draw(t, "committed")
			r.Shadow = &identity.Shadow{Of: r.ID, Decision: identity.Created, Kinds: []string{"groups"}}
		}
		return r
	})
}

// Export, import into an empty store, export: the same bytes. A second import
// changes nothing, and an export goes on behind any of its lines.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		from, into := open(t), open(t)
		for _, i := range rapid.SliceOfN(identities(), 0, 60).Draw(r, "identities") {
			if err := from.Insert(t.Context(), i, identity.Record{}); err != nil {
				r.Fatal(err)
			}
		}
		if err := from.Record(t.Context(), rapid.SliceOfN(decisions(), 0, 60).Draw(r, "decisions"), nil); err != nil {
			r.Fatal(err)
		}
		first := export(r, from, transfer.Position{})
		lines := read(r, first)
		if got := bring(r, into, lines); got[transfer.Imported] != len(lines) {
			r.Fatalf("outcomes %v of %d lines", got, len(lines))
		}
		if second := export(r, into, transfer.Position{}); !bytes.Equal(first, second) {
			r.Fatalf("first\n%s\nsecond\n%s", first, second)
		}
		if got := bring(r, into, lines); got[transfer.Same] != len(lines) {
			r.Fatalf("outcomes %v of a second import of %d lines", got, len(lines))
		}
		goesOn(r, into, first, rapid.IntRange(1, len(lines)+1).Draw(r, "line"))
	})
}

// goesOn checks that an export behind the position of line n is the rest.
func goesOn(t *rapid.T, s transfer.Source, file []byte, n int) {
	r := transfer.NewReader(bytes.NewReader(file))
	for range n {
		if _, _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
	}
	rest := export(t, s, r.Position)
	head, _ := transfer.Encode(transfer.Header())
	got := append(slices.Clip(file[:r.Offset]), bytes.TrimPrefix(rest, head)...)
	cut := func(b []byte) []byte { return b[:bytes.LastIndex(b, []byte(`{"end"`))] }
	if !bytes.Equal(cut(got), cut(file)) {
		t.Fatalf("behind line %d\n%s\nwant\n%s", n, got, file)
	}
}

func ann() identity.Identity {
	l := identity.Link{Provider: "acme", Issuer: "https://idp.example", Subject: "geheim"}
	return identity.Identity{
		ID: "01900000-0000-7000-8000-000000000001", Userstore: "default", State: identity.StateActive, Revision: 1,
		Traits: map[string]any{"level": 3.0}, CreatedAt: time.Unix(1, 1), Links: []identity.Link{l},
		Keys: []identity.Key{identity.FedKey(l.Issuer, l.Subject)},
	}
}

func TestImportReplacesNothing(t *testing.T) {
	s := open(t)
	there := ann()
	record := identity.Record{ID: "01900000-0000-7000-8000-00000000000a", At: time.Unix(1, 0), Decision: identity.Denied}
	if err := s.Insert(t.Context(), there, record); err != nil {
		t.Fatal(err)
	}
	before := export(t, s, transfer.Position{})
	level, revision, thief, other := ann(), ann(), ann(), record
	level.Traits = map[string]any{"level": int64(3)} // not 3.0
	revision.Revision = 2
	thief.ID = "01900000-0000-7000-8000-000000000002"
	other.Decision = identity.Created
	lines := []transfer.Line{{Identity: &level}, {Identity: &revision}, {Identity: &thief}, {Decision: &other}, {Identity: &there}, {Decision: &record}}
	got, err := transfer.Import(t.Context(), s, lines)
	want := []transfer.Outcome{transfer.Different, transfer.Different, transfer.Taken, transfer.Different, transfer.Same, transfer.Same}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("Import = %v, %v, want %v", got, err, want)
	}
	if after := export(t, s, transfer.Position{}); !bytes.Equal(before, after) {
		t.Errorf("the import changed\n%s\ninto\n%s", before, after)
	}
	s.Close()
	if _, err := transfer.Import(t.Context(), s, lines[:1]); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("Import into a closed store: %v, want ErrUnavailable", err)
	}
}

func TestDecodeRefuses(t *testing.T) {
	i := ann()
	text, err := transfer.Encode(transfer.Line{Identity: &i})
	if err != nil {
		t.Fatal(err)
	}
	good := strings.TrimSuffix(string(text), "\n")
	if _, err := transfer.Decode([]byte(good)); err != nil {
		t.Fatal(err)
	}
	change := func(from, to string) string {
		if !strings.Contains(good, from) {
			t.Fatalf("%s is not in %s", from, good)
		}
		return strings.Replace(good, from, to, 1)
	}
	for name, line := range map[string]string{
		"no JSON": "geheim", "nothing": "", "null": "null", "two values": good + good, "a space": " " + good, "a space behind": good + " ",
		"no member": "{}", "two members": change(`{"identity"`, `{"jithook_export":1,"identity"`),
		"unknown name": change(`"state"`, `"geheim":1,"state"`), "missing name": change(`"groups":[],`, ""), "empty outbox": change(`,"created_at"`, `,"outbox":[],"created_at"`),
		"doubled name": change(`"userstore":"default"`, `"userstore":"default","userstore":"default"`),
		"other case":   change(`"links"`, `"Links"`), "long s": change(`"links"`, `"linkſ"`), "null list": change(`"groups":[]`, `"groups":null`),
		"big integer": change(`"level":3.0`, `"level":9223372036854775808`), "big float": change(`"level":3.0`, `"level":1e400`),
		"another float": change(`"level":3.0`, `"level":3.00`), "no number": change(`"revision":1`, `"revision":"geheim"`),
		"offset of time": change(`1970-01-01T00:00:01.000000001Z`, `1970-01-01T01:00:01.000000001+01:00`), "no UTF-8": change(`"acme"`, "\"ac\xffme\""),
		"escape": change(`"acme"`, `"\u0061cme"`), "newer version": `{"jithook_export":2}`, "long": change(`"acme"`, `"`+strings.Repeat("a", transfer.MaxLine)+`"`),
		"deep": change(`3.0`, strings.Repeat("[", 1<<19)+strings.Repeat("]", 1<<19-1000)),
	} {
		if _, err := transfer.Decode([]byte(line)); err == nil || strings.Contains(err.Error(), "geheim") {
			t.Errorf("%s: %v, want a refusal without a value", name, err)
		}
	}
}

func proposed(subject string, state identity.ProposalState) []identity.Proposal {
	return []identity.Proposal{{Provider: "globex", Issuer: "https://globex.example", Subject: subject, State: state, At: time.Unix(1, 0)}}
}

func holding(id string, names ...string) []identity.Hold {
	h := identity.Hold{ID: id, Source: "provider:acme", At: time.Unix(1, 0)}
	for _, n := range names {
		h.Groups = append(h.Groups, identity.Group{Name: n, Source: "provider:acme"})
	}
	return []identity.Hold{h}
}

func TestCheckRefuses(t *testing.T) {
	if i := ann(); (transfer.Line{Identity: &i}).Check() != nil {
		t.Fatal("a good identity is refused")
	}
	// Whoever is barred keeps the keys of links that are gone, and can be moved.
	barred := ann()
	barred.State, barred.Links = identity.StateSuspended, nil
	if err := (transfer.Line{Identity: &barred}).Check(); err != nil {
		t.Errorf("somebody suspended without links: %v", err)
	}
	for name, spoil := range map[string]func(*identity.Identity){
		"no id":            func(i *identity.Identity) { i.ID = "" },
		"id in capitals":   func(i *identity.Identity) { i.ID = strings.ToUpper("01900000-0000-7000-8000-00000000000a") },
		"no userstore":     func(i *identity.Identity) { i.Userstore = "" },
		"no revision":      func(i *identity.Identity) { i.Revision = 0 },
		"state":            func(i *identity.Identity) { i.State = "root" },
		"no key":           func(i *identity.Identity) { i.Keys = nil },
		"a stranger's key": func(i *identity.Identity) { i.Keys = append(i.Keys, identity.FedKey("https://idp.example", "bob")) },
		"key of another":   func(i *identity.Identity) { i.Keys[0] = identity.FedKey("https://idp.example", "bob") },
		"key twice":        func(i *identity.Identity) { i.Keys = append(i.Keys, i.Keys[0]) },
		"no key at all":    func(i *identity.Identity) { i.Keys = append(i.Keys, "mail:geheim") },
		"key of what kind": func(i *identity.Identity) { i.Keys = append(i.Keys, "own"+i.Keys[0][3:]) },
		"subject":          func(i *identity.Identity) { i.Links[0].Subject = "" },
		"no issuer":        func(i *identity.Identity) { i.Links[0].Issuer = "" },
		"external, no key": func(i *identity.Identity) { i.ExternalIDs = []identity.ExternalID{{System: "kratos", ID: "1"}} },
		"target twice":     func(i *identity.Identity) { i.Arm("hr", time.Unix(1, 0)); i.Outbox = append(i.Outbox, i.Outbox[0]) },
		"no target":        func(i *identity.Identity) { i.Arm("", time.Unix(1, 0)) },
		"never due":        func(i *identity.Identity) { i.Arm("hr", time.Time{}) },
		"a later revision": func(i *identity.Identity) { i.Arm("hr", time.Unix(1, 0)); i.Outbox[0].Revision++ },
		"a long trace":     func(i *identity.Identity) { i.Arm("hr", time.Unix(1, 0)); i.Outbox[0].Trace = strings.Repeat("0", 65) },
		"outbox version":   func(i *identity.Identity) { i.OutboxVersion = -1 },
		"resource twice":   func(i *identity.Identity) { i.Resources = []identity.Resource{{Target: "hr"}, {Target: "hr"}} },
		"nobody's":         func(i *identity.Identity) { i.Resources = []identity.Resource{{ID: "u-1"}} },
		"proposal's state": func(i *identity.Identity) { i.Proposals = proposed("g-1", "geheim") },
		"nobody proposed":  func(i *identity.Identity) { i.Proposals = proposed("", identity.ProposalOpen) },
		"proposed twice": func(i *identity.Identity) {
			i.Proposals = append(proposed("g-1", identity.ProposalOpen), proposed("g-1", identity.ProposalRejected)...)
		},
		"proposed, linked": func(i *identity.Identity) {
			i.Proposals = proposed(i.Links[0].Subject, identity.ProposalOpen)
			i.Proposals[0].Issuer = i.Links[0].Issuer
		},
		"consent to what": func(i *identity.Identity) {
			i.Consents = []identity.Consent{{Version: "geheim", At: i.CreatedAt, Source: "user"}}
		},
		"consent, no time": func(i *identity.Identity) {
			i.Consents = []identity.Consent{{Path: "/terms", Version: "1", Source: "user"}}
		},
		"another's hold":   func(i *identity.Identity) { i.Holds = holding("other.1", "eng") },
		"held for nothing": func(i *identity.Identity) { i.Holds = holding(i.ID + ".1") },
		"held, not there":  func(i *identity.Identity) { i.Holds = holding(i.ID+".1", "geheim") },
		"held by nobody": func(i *identity.Identity) {
			i.Groups, i.Holds = holding("", "eng")[0].Groups, holding(i.ID+".1", "eng")
			i.Holds[0].Source = ""
		},
		"hold twice": func(i *identity.Identity) {
			i.Groups = holding("", "eng")[0].Groups
			i.Holds = append(holding(i.ID+".1", "eng"), holding(i.ID+".1", "eng")...)
		},
		"no creation": func(i *identity.Identity) { i.CreatedAt = time.Time{} },
	} {
		i := ann()
		spoil(&i)
		if err := (transfer.Line{Identity: &i}).Check(); err == nil || strings.Contains(err.Error(), "geheim") {
			t.Errorf("%s: %v, want a refusal without a value", name, err)
		}
	}
	if (transfer.Line{Decision: &identity.Record{}}).Check() == nil {
		t.Error("an empty decision record is taken")
	}
}

// TestDeleted: what is left of somebody deleted travels, and holds nothing that
// keeps anybody out.
func TestDeleted(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*identity.Identity)
		ok    bool
	}{
		"as it is": {func(*identity.Identity) {}, true},
		"owed to a Kratos": {func(i *identity.Identity) {
			i.ExternalIDs = []identity.ExternalID{{System: identity.SystemKratos, Instance: "main", ID: "k-1"}}
		}, true},
		"nobody to tell": {func(i *identity.Identity) { i.Outbox = nil }, false},
		"a key":          {func(i *identity.Identity) { i.Keys = ann().Keys }, false},
		"a link":         {func(i *identity.Identity) { i.Links = ann().Links }, false},
		"a trait":        {func(i *identity.Identity) { i.Traits = map[string]any{"email": "geheim"} }, false},
	} {
		i := ann()
		i.State, i.Traits, i.Keys, i.Links, i.Provenance, i.Groups, i.ExternalIDs = identity.StateDeleted, nil, nil, nil, nil, nil, nil
		i.Consents, i.Proposals, i.Holds = nil, nil, nil
		i.Outbox = nil
		i.Arm("hr", time.Unix(1, 0))
		c.spoil(&i)
		if err := (transfer.Line{Identity: &i}).Check(); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestReaderRefuses(t *testing.T) {
	header, end := `{"jithook_export":1}`, `{"end":{"identities":2,"decisions":2}}`
	line := func(l transfer.Line) string {
		text, err := transfer.Encode(l)
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSuffix(string(text), "\n")
	}
	a, b := ann(), ann()
	b.ID = "01900000-0000-7000-8000-000000000002"
	ia, ib := line(transfer.Line{Identity: &a}), line(transfer.Line{Identity: &b})
	da, db := line(transfer.Line{Decision: &identity.Record{ID: "2"}}), line(transfer.Line{Decision: &identity.Record{ID: "1"}})
	whole := []string{header, ia, ib, da, db, end}
	const cut = -1
	for name, c := range map[string]struct {
		lines []string
		tail  string
		bad   int // line; 0 is none
	}{
		"whole":             {whole, "\n", 0},
		"empty":             {nil, "", cut},
		"cut in a line":     {whole[:3], `{"id`, cut},
		"cut behind a line": {whole[:5], "\n", cut},
		"cut in the end":    {whole, "", cut},
		"no header":         {whole[1:], "\n", 1},
		"another file":      {[]string{"geheim"}, "\n", 1},
		"header twice":      {[]string{header, header}, "\n", 2},
		"identity twice":    {[]string{header, ia, ia}, "\n", 3},
		"identities back":   {[]string{header, ib, ia}, "\n", 3},
		"decision twice":    {[]string{header, da, da}, "\n", 3},
		"decisions up":      {[]string{header, db, da}, "\n", 3},
		"identity last":     {[]string{header, da, ia}, "\n", 3},
		"a line is missing": {[]string{header, ia, ib, da, end}, "\n", 5},
		"more":              {slices.Concat(whole, whole[:1]), "\n", 7},
		"more without end":  {whole, "\nx", 7},
		"empty line":        {[]string{header, "", ia}, "\n", 2},
		"carriage return":   {[]string{header + "\r", ia}, "\n", 1},
	} {
		text := strings.Join(c.lines, "\n") + c.tail
		r := transfer.NewReader(strings.NewReader(text))
		var err error
		for err == nil {
			_, _, err = r.Next()
		}
		var bad *transfer.LineError
		switch {
		case c.bad == 0 && !errors.Is(err, io.EOF), c.bad == cut && !errors.Is(err, transfer.ErrCut),
			c.bad > 0 && (!errors.As(err, &bad) || bad.Line != c.bad || strings.Contains(err.Error(), "geheim")):
			t.Errorf("%s: %v, want line %d", name, err, c.bad)
		}
		if !strings.HasPrefix(text, text[:r.Offset]) || r.Offset > 0 && text[r.Offset-1] != '\n' {
			t.Errorf("%s: offset %d is not behind a line", name, r.Offset)
		}
	}
}

func TestEncodeRefuses(t *testing.T) {
	for name, spoil := range map[string]func(*identity.Identity){
		"too long":  func(i *identity.Identity) { i.Traits = map[string]any{"a": strings.Repeat("geheim", 1<<18)} },
		"no number": func(i *identity.Identity) { i.Traits = map[string]any{"a": math.Inf(1)} },
		"no UTF-8":  func(i *identity.Identity) { i.Traits = map[string]any{"geheim\xff": true} },
		"year":      func(i *identity.Identity) { i.CreatedAt = time.Date(12026, 1, 1, 0, 0, 0, 0, time.UTC) },
	} {
		i := ann()
		spoil(&i)
		if _, err := transfer.Encode(transfer.Line{Identity: &i}); err == nil || !strings.Contains(err.Error(), i.ID) || strings.Contains(err.Error(), "geheim") {
			t.Errorf("%s: %v, want the id and no value", name, err)
		}
	}
}

// FuzzDecode: what is taken is what an export writes, to the byte.
func FuzzDecode(f *testing.F) {
	i := ann()
	for _, l := range []transfer.Line{transfer.Header(), {Identity: &i}, {Decision: &identity.Record{ID: "1"}}, {End: &transfer.Counts{}}} {
		text, err := transfer.Encode(l)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(bytes.TrimSuffix(text, []byte("\n")))
	}
	f.Add([]byte(`{"identity":{"traits":{"a":1e1,"A":[null]}}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		l, err := transfer.Decode(text)
		if err != nil {
			return
		}
		_ = l.Check()
		again, err := transfer.Encode(l)
		if err != nil || string(again) != string(text)+"\n" {
			t.Errorf("%q comes back as %q, %v", text, again, err)
		}
	})
}

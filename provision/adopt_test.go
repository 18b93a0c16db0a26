package provision_test

// These tests prove who is taken over of a Kratos that has people already, and
// as what: linked to what Kratos lets in, nobody's word for verified, each once
// however often and from wherever one begins; nobody for whom a link, a place or
// a name would be a guess; and nothing without Apply.

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/jithook/jithook/identity"
	adminapi "github.com/jithook/jithook/kratos"
	"github.com/jithook/jithook/provision"
)

// crowd is a Kratos that has people, in pages of at most two.
type crowd struct {
	people []map[string]any
	broken bool
	read   func(id string)
}

func (c *crowd) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	send := func(v any) { json.NewEncoder(w).Encode(v) }
	id := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/admin/identities"), "/")
	at := slices.IndexFunc(c.people, func(p map[string]any) bool { return p["id"] == id })
	switch q := r.URL.Query(); {
	case c.broken:
		w.WriteHeader(http.StatusInternalServerError)
	case id != "" && at < 0:
		w.WriteHeader(http.StatusNotFound)
		send(map[string]any{"error": map[string]any{"code": http.StatusNotFound}})
	case id != "":
		if c.read != nil {
			c.read(id)
		}
		send(c.people[at])
	case q.Get("ids") != "":
		send(slices.DeleteFunc(slices.Clone(c.people), func(p map[string]any) bool { return p["id"] != q.Get("ids") }))
	default:
		from, _ := strconv.Atoi(q.Get("page_token"))
		to := min(from+2, len(c.people))
		if to < len(c.people) {
			next := url.Values{"page_size": {q.Get("page_size")}, "page_token": {strconv.Itoa(to)}}
			w.Header().Set("Link", `</admin/identities?page_size=2>; rel="first",<http://elsewhere.example/admin/identities?`+next.Encode()+`>; rel="next"`)
		}
		list := []map[string]any{} // as Kratos lists: without credentials
		for _, p := range c.people[from:to] {
			list = append(list, map[string]any{"id": p["id"], "traits": p["traits"]})
		}
		send(list)
	}
}

// has adds somebody with these credentials.
func (c *crowd) has(id string, identifiers []string, traits map[string]any, edit ...func(map[string]any)) {
	p := map[string]any{"id": id, "state": "active", "traits": traits, "credentials": map[string]any{"oidc": map[string]any{"identifiers": identifiers}}}
	for _, e := range edit {
		e(p)
	}
	c.people = append(c.people, p)
}

// moves gives h a Kratos that has a crowd.
func (h *house) moves(c *crowd) {
	h.t.Helper()
	server := httptest.NewServer(c)
	h.t.Cleanup(server.Close)
	admin, err := adminapi.NewAdmin(server.URL, "")
	if err != nil {
		h.t.Fatal(err)
	}
	h.Kratos, h.Instances = map[string]*adminapi.Admin{"main": admin}, []string{"main"}
}

// adopt goes through all steps.
func (h *house) adopt(w provision.Adoption) []provision.Adoptee {
	h.t.Helper()
	w.Instance = "main"
	var all []provision.Adoptee
	for more := true; more; more = w.PageToken != "" {
		out, err := h.Adopt(h.t.Context(), w)
		if err != nil {
			h.t.Fatal(err)
		}
		all = append(all, out.People...)
		w.PageToken = out.NextPageToken
	}
	return all
}

// globexed has two issuers, and says nothing of a userstore of its own.
const globexed = `
version: 1
provider: globex
issuer: [https://globex.example, https://old.globex.example]
jit: {enabled: true, userstore: employees}
traits: {email: {value: claims.email}}
`

// somewhere knows people by another claim than sub, initechs places them by one.
const somewhere = `
version: 1
provider: umbrella
issuer: https://umbrella.example
subject: claims.oid
jit: {enabled: true, userstore: employees}
traits: {email: {value: claims.email, canonical: email, unique: true, verified: claims.email_verified}}
`

const initechs = `
version: 1
provider: initech
issuer: https://initech.example
jit: {enabled: true, userstore: {from: claims.place}}
traits: {nick: {value: claims.nick}}
`

func TestAdopt(t *testing.T) {
	type want struct {
		standing provision.Standing
		code     identity.Code
		path     string
	}
	told := func(provider, issuer, subject, credential string) func(map[string]any) {
		return func(p map[string]any) {
			p["metadata_admin"] = map[string]any{"jithook": map[string]any{
				"provider": provider, "issuer": issuer, "subject": subject, "credential": credential, "claims": map[string]any{"sub": credential},
			}}
		}
	}
	refused := func(code identity.Code, path ...string) want {
		return want{provision.StandingRefused, code, strings.Join(path, "")}
	}
	taken := want{standing: provision.StandingImported}
	for name, c := range map[string]struct {
		identifiers []string
		traits      map[string]any
		edit        func(map[string]any)
		userstore   string
		before      func(*house)
		want        want
		links       []identity.Link
	}{
		"by a password":                 {want: want{standing: provision.StandingOther}},
		"one":                           {identifiers: []string{"acme:s-1"}, want: taken, links: []identity.Link{{Provider: "acme", Issuer: "https://acme.example", Subject: "s-1"}}},
		"nobody's provider":             {identifiers: []string{"hooli:s-1"}, want: refused(identity.CodeUnknownProvider)},
		"a stranger's provider as well": {identifiers: []string{"acme:s-1", "hooli:s-1"}, want: taken},
		"two of one provider":           {identifiers: []string{"acme:s-1", "acme:s-2"}, want: refused(identity.CodeSubjectUndeterminable)},
		"one of two issuers":            {identifiers: []string{"globex:g-1"}, want: refused(identity.CodeIssuerUnknown)},
		"an issuer that Kratos kept": {
			identifiers: []string{"globex:g-1"}, edit: told("globex", "https://old.globex.example", "g-1", ""), want: taken,
			links: []identity.Link{{Provider: "globex", Issuer: "https://old.globex.example", Subject: "g-1"}},
		},
		"an issuer of another's":   {identifiers: []string{"globex:g-1"}, edit: told("globex", "https://acme.example", "g-1", ""), want: refused(identity.CodeIssuerUnknown)},
		"kept of another subject":  {identifiers: []string{"globex:g-1"}, edit: told("globex", "https://globex.example", "g-2", ""), want: refused(identity.CodeIssuerUnknown)},
		"another claim":            {identifiers: []string{"umbrella:u-1"}, want: refused(identity.CodeSubjectUndeterminable)},
		"another claim, kept":      {identifiers: []string{"umbrella:u-1"}, edit: told("umbrella", "https://umbrella.example", "oid-1", "u-1"), userstore: "employees", want: taken, links: []identity.Link{{Provider: "umbrella", Issuer: "https://umbrella.example", Subject: "oid-1", Credential: "u-1"}}},
		"no subject":               {identifiers: []string{"acme: s-1"}, want: refused(identity.CodeSubjectInvalid)},
		"a place by claims":        {identifiers: []string{"initech:i-1"}, want: refused(identity.CodeUserstoreUnknown)},
		"a place by claims, said":  {identifiers: []string{"initech:i-1"}, userstore: "employees", want: taken},
		"two providers, one place": {identifiers: []string{"acme:s-1", "globex:g-1"}, edit: told("globex", "https://globex.example", "g-1", ""), want: taken, links: []identity.Link{{Provider: "acme", Issuer: "https://acme.example", Subject: "s-1"}, {Provider: "globex", Issuer: "https://globex.example", Subject: "g-1"}}},
		"two providers, no place":  {identifiers: []string{"acme:s-1", "initech:i-1"}, want: refused(identity.CodeUserstoreUnknown)},
		"no address":               {identifiers: []string{"acme:s-1"}, traits: map[string]any{"email": "ann"}, want: refused(identity.CodeTraitInvalid, "/traits/email")},
		"no name":                  {identifiers: []string{"acme:s-1"}, traits: map[string]any{"username": 7}, want: refused(identity.CodeTraitInvalid, "/traits/username")},
		"a name that is taken": {
			identifiers: []string{"acme:s-1"}, traits: map[string]any{"username": "ANN"},
			before: func(h *house) { h.login(generic("s-2", ann())) }, want: refused(identity.CodeTraitTaken, "/traits/username"),
		},
		"an address that is taken": { // nobody has verified it: it takes nothing
			identifiers: []string{"acme:s-1"}, traits: map[string]any{"email": "ann@acme.example"},
			before: func(h *house) { h.login(generic("s-2", ann())) }, want: taken,
		},
		"signed in before": {
			identifiers: []string{"acme:s-1"}, before: func(h *house) { h.login(generic("s-1", ann())) }, want: want{standing: provision.StandingKnown},
		},
		"closed here": {
			identifiers: []string{"acme:s-1"},
			before: func(h *house) {
				h.login(generic("s-1", ann()))
				h.admin(provision.Deprovision(), identity.Updated)
			}, want: want{standing: provision.StandingKnown},
		},
		"signed in at another account": {
			identifiers: []string{"acme:s-1"}, before: func(h *house) {
				l := generic("s-1", ann())
				l.External = identity.ExternalID{System: identity.SystemKratos, Instance: "main", ID: "k-0"}
				h.login(l)
			}, want: refused(identity.CodeLinkStale),
		},
		"two people here": {
			identifiers: []string{"acme:s-1"}, before: func(h *house) {
				h.login(generic("s-1", ann()))
				l := generic("s-2", ann(with("email", "bob@acme.example"), with("preferred_username", "bob")))
				l.External = identity.ExternalID{System: identity.SystemKratos, Instance: "main", ID: "k-1"}
				h.login(l)
			}, want: refused(identity.CodeLinkStale),
		},
		"kept for a place that is gone": {
			identifiers: []string{"acme:s-1"}, before: func(h *house) {
				if err := h.store.Store.Pin(h.t.Context(), identity.FedKey("https://acme.example", "s-1"), "elsewhere"); err != nil {
					h.t.Fatal(err)
				}
			}, want: refused(identity.CodeUserstoreUnknown),
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := open(t, acme, globexed, somewhere, initechs)
			if c.before != nil {
				c.before(h)
			}
			crowd := &crowd{}
			edits := []func(map[string]any){}
			if c.edit != nil {
				edits = append(edits, c.edit)
			}
			crowd.has("k-1", c.identifiers, c.traits, edits...)
			h.moves(crowd)
			had, wrote := h.all(), h.store.writes.Load()
			dry := h.adopt(provision.Adoption{Userstore: c.userstore})
			if h.store.writes.Load() != wrote {
				t.Fatal("a dry run writes")
			}
			got := h.adopt(provision.Adoption{Userstore: c.userstore, Apply: true, RequestID: "request-1"})
			seen := func(all []provision.Adoptee) want { return want{all[0].Standing, all[0].Code, all[0].Path} }
			if len(got) != 1 || seen(got) != c.want {
				t.Fatalf("got %+v, want %+v", got, c.want)
			}
			foreseen := c.want
			if foreseen.standing == provision.StandingImported {
				foreseen.standing = provision.StandingDue
			}
			if seen(dry) != foreseen {
				t.Errorf("the dry run said %+v", dry)
			}
			if c.want.standing != provision.StandingImported {
				if h.store.writes.Load() != wrote || !cmp.Equal(had, h.all()) {
					t.Error("something was written")
				}
				return
			}
			i, err := h.store.Get(t.Context(), got[0].IdentityID)
			if err != nil {
				t.Fatal(err)
			}
			for n, l := range i.Links {
				if l.Evidence != identity.SourceKratosAdmin || !l.LinkedAt.Equal(h.now) {
					t.Errorf("link %+v", l)
				}
				i.Links[n] = identity.Link{Provider: l.Provider, Issuer: l.Issuer, Subject: l.Subject, Credential: l.Credential}
			}
			if c.links != nil && !slices.Equal(i.Links, c.links) {
				t.Errorf("links %+v", i.Links)
			}
			r, err := h.store.Decision(t.Context(), got[0].DecisionID)
			if err != nil || r.Decision != identity.Created || r.Hook != identity.HookAdmin || r.Reasons[0].Code != identity.CodeImported ||
				r.IdentityID != i.ID || r.RequestID != "request-1" || i.DecisionID != r.ID {
				t.Errorf("record %+v, %v", r, err)
			}
			if again := h.adopt(provision.Adoption{Userstore: c.userstore, Apply: true}); again[0].Standing != provision.StandingKnown || again[0].IdentityID != i.ID {
				t.Errorf("again: %+v", again)
			}
		})
	}
}

// TestAdoptedSignIn: whoever was imported signs in as themselves, and what the
// provider says takes the place of what Kratos had.
func TestAdoptedSignIn(t *testing.T) {
	h := open(t)
	c := &crowd{}
	c.has("k-1", []string{"acme:s-1"}, map[string]any{
		"email": "Ann@acme.example", "username": "Ann", "department": "Board", "groups": []any{"engineering"}, "shoe": 38, "name": "",
	})
	h.moves(c)
	h.adopt(provision.Adoption{Apply: true})
	i := h.only()
	if want := map[string]any{"email": "Ann@acme.example", "username": "ann", "department": "Board"}; !strings.EqualFold(i.Traits["email"].(string), "ann@acme.example") ||
		i.Traits["username"] != want["username"] || i.Traits["department"] != want["department"] || len(i.Traits) != len(want) {
		t.Errorf("traits %+v", i.Traits)
	}
	for _, by := range i.Provenance {
		if by.Source != identity.SourceImport || by.VerifiedBy != "" {
			t.Errorf("provenance %+v", by)
		}
	}
	if i.State != identity.StateActive || i.Userstore != "employees" || len(i.Groups) > 0 || len(i.Provenance) != len(i.Traits) ||
		slices.ContainsFunc(i.Keys, func(k identity.Key) bool { return k.Kind() == identity.KeyMail }) {
		t.Errorf("imported %+v", i)
	}
	external := identity.ExternalID{System: identity.SystemKratos, Instance: "main", ID: "k-1"}
	bare := identity.Login{Hook: identity.HookLogin, Caller: "kratos", Providers: []string{"acme"}, Provider: "acme", External: external}
	if out := h.login(bare); out.Record.Decision != identity.Unchanged || out.Record.IdentityID != i.ID {
		t.Errorf("without claims: %+v", out.Record)
	}
	told := generic("s-1", ann(with("department", "Sales")))
	told.External = external
	if out := h.login(told); out.Record.Decision != identity.Updated || out.Record.IdentityID != i.ID {
		t.Errorf("with claims: %+v", out.Record)
	}
	got := h.only()
	by, _ := got.ProvenanceOf("/department")
	if got.Traits["department"] != "Sales" || by.Source != "provider:acme" ||
		!slices.ContainsFunc(got.Keys, func(k identity.Key) bool { return k.Kind() == identity.KeyMail }) {
		t.Errorf("then %+v", got)
	}
}

func TestAdoptInactive(t *testing.T) {
	h := open(t)
	c := &crowd{}
	c.has("k-1", []string{"acme:s-1"}, nil, with("state", "inactive"))
	h.moves(c)
	h.adopt(provision.Adoption{Apply: true})
	if i := h.only(); i.State != identity.StateSuspended || i.StateSource != identity.SourceAdmin {
		t.Errorf("%+v", i)
	}
	if out := h.login(generic("s-1", ann())); out.Record.Reasons[0].Code != identity.CodeSuspended {
		t.Errorf("then %+v", out.Record)
	}
}

// TestAdoptOvertaken: somebody who signs in while they are imported is one person.
func TestAdoptOvertaken(t *testing.T) {
	for name, during := range map[string]string{"while Kratos is read": "read", "while it is written": "insert"} {
		t.Run(name, func(t *testing.T) {
			h := open(t)
			c := &crowd{}
			c.has("k-1", []string{"acme:s-1"}, map[string]any{"username": "ann"})
			h.moves(c)
			came := false
			signIn := func(at string) {
				if at == during && !came {
					came = true
					h.login(generic("s-1", ann()))
				}
			}
			c.read = func(string) { signIn("read") }
			h.store.fail = func(op string) error { signIn(op); return nil }
			if got := h.adopt(provision.Adoption{Apply: true}); !came || got[0].Standing != provision.StandingKnown || got[0].IdentityID != h.only().ID {
				t.Errorf("%+v", got)
			}
		})
	}
}

// TestAdoptInSteps: wherever it breaks off, it goes on and takes each once.
func TestAdoptInSteps(t *testing.T) {
	h := open(t)
	c := &crowd{}
	for n := range 7 {
		id := strconv.Itoa(n)
		c.has("k-"+id, []string{"acme:s-" + id}, nil)
	}
	h.moves(c)
	step, err := h.Adopt(t.Context(), provision.Adoption{Instance: "main", Apply: true})
	if err != nil || len(step.People) != 2 || step.NextPageToken == "" {
		t.Fatalf("%+v, %v", step, err)
	}
	c.read = func(id string) { c.broken = id == "k-2" } // dies in the middle of a page
	if _, err := h.Adopt(t.Context(), provision.Adoption{Instance: "main", Apply: true, PageToken: step.NextPageToken}); !errors.Is(err, provision.ErrUnheard) || strings.Contains(err.Error(), "k-") {
		t.Fatalf("Kratos down: %v", err)
	}
	c.read, c.broken = nil, false
	if n := len(h.all()); n != 3 {
		t.Errorf("%d were imported", n)
	}
	for from, want := range map[string]int{step.NextPageToken: 5, "": 7} {
		if got := h.adopt(provision.Adoption{Apply: true, PageToken: from}); len(got) != want {
			t.Errorf("from %q on: %+v", from, got)
		}
	}
	if n := len(h.all()); n != 7 {
		t.Errorf("%d identities", n)
	}
	for want, w := range map[error]provision.Adoption{
		provision.ErrNoKratos: {Instance: "other"}, provision.ErrUserstore: {Instance: "main", Userstore: "nowhere"},
	} {
		if _, err := h.Adopt(t.Context(), w); !errors.Is(err, want) {
			t.Errorf("%+v: %v", w, err)
		}
	}
}

// TestAdoptToItsPlace: whose subject is kept for a userstore is made there,
// whatever is said now, and in the one store that this is.
func TestAdoptToItsPlace(t *testing.T) {
	for pinned, where := range map[string]string{"": "1+0", "employees": "0+1"} {
		w := openTown(t, byClaim)
		c := &crowd{}
		c.has("k-1", []string{"acme:s-1"}, map[string]any{"username": "ann"})
		w.moves(c)
		if pinned != "" {
			if err := w.Editable.Pin(t.Context(), identity.FedKey("https://acme.example", "s-1"), pinned); err != nil {
				t.Fatal(err)
			}
		}
		w.adopt(provision.Adoption{Apply: true, Userstore: "default"})
		again := w.adopt(provision.Adoption{Apply: true, Userstore: "default"})
		if got := w.where(t); got != where || again[0].Standing != provision.StandingKnown {
			t.Errorf("pinned to %q: at home+employees %s, want %s, then %+v", pinned, got, where, again)
		}
		if out := w.login(generic("s-1", org("employees"))); out.Record.IdentityID != again[0].IdentityID || w.where(t) != where {
			t.Errorf("pinned to %q: signed in as %+v, %s", pinned, out.Record, w.where(t))
		}
	}
}

package admin_test

// These tests prove that lists are whole (paging shows everyone once), that
// filters filter or are refused, and that decision records hold nothing of what
// a person's provider said about them.

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/jithook/jithook/admin"
	"github.com/jithook/jithook/hook/generic"
	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/provider"
	"github.com/jithook/jithook/store"
)

// populate signs in n people.
func populate(t *testing.T, w *world, n int) []identity.Record {
	t.Helper()
	var records []identity.Record
	for i := range n {
		name := fmt.Sprintf("p%02d", i)
		r := w.login(t, generic.Request{Subject: "subject-" + name, Claims: person(name, nil), FlowID: "flow-" + strconv.Itoa(i%2)})
		if r.Decision != identity.Created {
			t.Fatalf("%s: %s, %v", name, r.Decision, r.Reasons)
		}
		records = append(records, r)
	}
	return records
}

func TestPaging(t *testing.T) {
	const people = 7
	w := newWorld(t)
	populate(t, w, people)
	for size := 1; size <= people+1; size++ {
		t.Run(strconv.Itoa(size), func(t *testing.T) {
			seen := map[string]int{}
			var ids, decisions []string
			for token := ""; ; {
				page := into[admin.Identities](t, w.get(t, fmt.Sprintf("/identities?page_size=%d&page_token=%s", size, url.QueryEscape(token))))
				if len(page.Identities) > size {
					t.Fatalf("%d on a page of %d", len(page.Identities), size)
				}
				for _, i := range page.Identities {
					seen[i.ID]++
					ids = append(ids, i.ID)
				}
				if token = page.NextPageToken; token == "" {
					break
				}
			}
			if len(seen) != people || len(ids) != people || !slices.IsSorted(ids) {
				t.Errorf("identities seen, by how often: %v", slices.Collect(maps.Values(seen)))
			}
			for token := ""; ; {
				page := into[admin.Decisions](t, w.get(t, fmt.Sprintf("/decisions?page_size=%d&page_token=%s", size, url.QueryEscape(token))))
				for _, d := range page.Decisions {
					decisions = append(decisions, d.ID)
				}
				if token = page.NextPageToken; token == "" {
					break
				}
			}
			slices.Reverse(decisions)
			if len(slices.Compact(slices.Clone(decisions))) != people || !slices.IsSorted(decisions) {
				t.Errorf("decisions seen, oldest first: %v", decisions)
			}
		})
	}
}

func TestEmptyLists(t *testing.T) {
	w := newWorld(t)
	for path, want := range map[string]string{
		"/identities": `{"identities":[],"next_page_token":""}`,
		"/decisions":  `{"decisions":[],"next_page_token":""}`,
	} {
		if got := strings.TrimSpace(string(w.get(t, path).body)); got != want {
			t.Errorf("%s: %s", path, got)
		}
	}
}

func TestIdentity(t *testing.T) {
	w := newWorld(t)
	r := w.login(t, generic.Request{Subject: "s-1", ExternalID: "x-1", Claims: person("ann", map[string]any{"department": int64(7)})})
	i := into[admin.Identity](t, w.get(t, "/identities/"+r.IdentityID))
	if i.Traits["email"] != "ann@acme.example" || i.Traits["department"] != 7.0 || i.State != identity.StateActive || i.Revision != 1 {
		t.Errorf("not the identity that was made: %+v", i)
	}
	if len(i.Links) != 1 || i.Links[0].Subject != "s-1" || i.Links[0].Issuer != "https://acme.example" || i.Links[0].Provider != "acme" {
		t.Errorf("links: %+v", i.Links)
	}
	if i.ExternalIDs["external"] != "x-1" || len(i.Groups) != 1 || i.Groups[0].Source != "provider:acme" || i.DecisionID != r.ID {
		t.Errorf("ids or groups: %+v", i)
	}
	at := slices.IndexFunc(i.Provenance, func(p identity.Provenance) bool { return p.Path == "/email" })
	if at < 0 || i.Provenance[at].VerifiedBy != "provider:acme" {
		t.Errorf("provenance: %+v", i.Provenance)
	}
	for name, id := range map[string]string{
		"unknown": "0192d3a4-0000-7000-8000-000000000000", "no UUID": "x", "dots": "..", "escaped slash": "a%2Fb", "longer than a key may be": strings.Repeat("x", 40_000),
	} {
		t.Run(name, func(t *testing.T) {
			for _, path := range []string{"/identities/", "/decisions/"} {
				p := refused(t, w.get(t, path+id), http.StatusNotFound)
				if p.Detail == "" {
					t.Errorf("%s: it cannot be told from a path that the API does not know", path)
				}
			}
		})
	}
}

// TestWithoutAnything: an identity may be nothing but an id; its lists are
// empty lists and not null.
func TestWithoutAnything(t *testing.T) {
	w := newWorld(t)
	bare := identity.Identity{ID: "i-1", Userstore: "default", State: identity.StateActive, Revision: 1}
	if err := w.store.Insert(t.Context(), bare, identity.Record{ID: "d-1"}); err != nil {
		t.Fatal(err)
	}
	i := into[admin.Identity](t, w.get(t, "/identities/i-1"))
	if i.Traits == nil || i.Links == nil || i.Groups == nil || i.Provenance == nil || i.ExternalIDs == nil {
		t.Errorf("%+v", i)
	}
}

func TestInstances(t *testing.T) {
	w := newWorld(t)
	i := identity.Identity{
		ID: "i-1", Userstore: "default", State: identity.StateActive, Revision: 1,
		ExternalIDs: []identity.ExternalID{
			{System: "kratos", Instance: "main", ID: "k-1"}, {System: "kratos", Instance: "eu", ID: "k-2"}, {System: "external", Instance: "main", ID: "x"},
		},
	}
	if err := w.store.Insert(t.Context(), i, identity.Record{ID: "d-1"}); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"kratos": "k-1", "kratos/eu": "k-2", "external": "x"}
	if got := into[admin.Identity](t, w.get(t, "/identities/i-1")).ExternalIDs; !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestIdentityFilters(t *testing.T) {
	w := newWorld(t)
	records := populate(t, w, 3)
	pending := identity.Identity{ID: "i-pending", Userstore: "partners", State: identity.StatePending, Revision: 1, Traits: map[string]any{
		"address": map[string]any{"city": "Kiel"}, "floors": []any{int64(3), int64(7)},
	}}
	if err := w.store.Insert(t.Context(), pending, identity.Record{ID: "d-pending"}); err != nil {
		t.Fatal(err)
	}
	for query, want := range map[string]int{
		"":                                4,
		"state=active":                    3,
		"state=pending":                   1,
		"state=suspended":                 0,
		"userstore=partners":              1,
		"userstore=default":               3,
		"userstore=nowhere":               0,
		"userstore=partners&state=active": 0,
		"issuer=https%3A%2F%2Facme.example&subject=subject-p01":               1,
		"issuer=https%3A%2F%2Facme.example%2F&subject=subject-p01":            0,
		"issuer=https%3A%2F%2Facme.example&subject=subject-p01&state=pending": 0,
		"trait=/traits/email&value=P01@acme.example":                          1,
		"trait=/traits/email&value=p01@acme.example&state=pending":            0,
		"trait=/traits/email&value=p01":                                       0,
		"trait=/traits/address/city&value=kiel":                               1,
		"trait=/traits/address&value=kiel":                                    0,
		"trait=/traits/floors&value=7":                                        1,
		"trait=/traits/nothing&value=p01@acme.example":                        0,
	} {
		t.Run(query, func(t *testing.T) {
			page := into[admin.Identities](t, w.get(t, "/identities?"+query))
			if len(page.Identities) != want {
				t.Errorf("%d identities, want %d", len(page.Identities), want)
			}
			if strings.HasSuffix(query, "subject-p01") && want == 1 && page.Identities[0].ID != records[1].IdentityID {
				t.Error("not the one with this subject")
			}
		})
	}
}

func TestDecisionFilters(t *testing.T) {
	w := newWorld(t)
	records := populate(t, w, 3)
	again := w.login(t, generic.Request{Subject: "subject-p00", Claims: person("p00", nil)})
	guest := w.login(t, generic.Request{Subject: "subject-guest", Claims: person("guest", map[string]any{"user_type": "guest"})})
	for query, want := range map[string][]string{
		"":                                  {guest.ID, again.ID, records[2].ID, records[1].ID, records[0].ID},
		"identity=" + records[0].IdentityID: {again.ID, records[0].ID},
		"identity=nobody":                   {},
		"flow_id=flow-0":                    {records[2].ID, records[0].ID},
		"flow_id=flow-0&identity=" + records[0].IdentityID: {records[0].ID},
		"decision=denied":    {guest.ID},
		"decision=unchanged": {again.ID},
		"decision=error":     {},
		"issuer=https%3A%2F%2Facme.example&subject=subject-guest":         {guest.ID},
		"issuer=https%3A%2F%2Facme.example&subject=p00":                   {},
		"issuer=https%3A%2F%2Facme.example&subject=subject-p00&flow_id=x": {},
	} {
		t.Run(query, func(t *testing.T) {
			got := []string{}
			for _, d := range into[admin.Decisions](t, w.get(t, "/decisions?"+query)).Decisions {
				got = append(got, d.ID)
			}
			if !slices.Equal(got, want) {
				t.Errorf("%v, want %v", got, want)
			}
		})
	}
	d := into[identity.Record](t, w.get(t, "/decisions/"+guest.ID))
	if d.Reasons[0].Code != identity.CodeDenyRule || d.Reasons[0].Rule != "guest" || !strings.HasPrefix(d.Rule, "acme.yaml:10:") || d.Caller != "tests" {
		t.Errorf("the record does not tell which rule denied: %+v", d)
	}
}

func TestBadQueries(t *testing.T) {
	w := newWorld(t)
	populate(t, w, 3)
	token := into[admin.Identities](t, w.get(t, "/identities?page_size=1")).NextPageToken
	for name, c := range map[string]struct{ path, says string }{
		"page_size 0":              {"/identities?page_size=0", "1 to 500"},
		"page_size 501":            {"/identities?page_size=501", "1 to 500"},
		"page_size negative":       {"/decisions?page_size=-1", "1 to 500"},
		"page_size no number":      {"/decisions?page_size=ten", "1 to 500"},
		"page_size overflow":       {"/decisions?page_size=99999999999999999999", "1 to 500"},
		"page_token made up":       {"/identities?page_token=made-up", "page_token"},
		"page_token of decisions":  {"/decisions?page_token=" + url.QueryEscape(token), "page_token"},
		"page_token cut":           {"/identities?page_token=" + url.QueryEscape(token[:len(token)-1]), "page_token"},
		"issuer alone":             {"/identities?issuer=https://acme.example", "go together"},
		"subject alone":            {"/identities?subject=subject-p01", "go together"},
		"decisions, subject alone": {"/decisions?subject=subject-p01", "go together"},
		"trait alone":              {"/identities?trait=/traits/email", "go together"},
		"value alone":              {"/identities?value=subject-p01", "go together"},
		"trait without its place":  {"/identities?trait=email&value=subject-p01", "/traits/email"},
		"state misspelt":           {"/identities?state=actve", "suspended"},
		"decision misspelt":        {"/decisions?decision=denid", "denied"},
		"parameter misspelt":       {"/identities?sate=active", "state"},
		"parameter of another":     {"/decisions?state=active", "decision"},
		"parameter of none":        {"/outbound?state=active", "none"},
		"parameter twice":          {"/identities?state=active&state=pending", "more than once"},
		"state empty":              {"/identities?state=", "empty"},
		"identity empty":           {"/decisions?identity=", "empty"},
		"malformed":                {"/identities?state=%zz", "malformed"},
		"semicolon":                {"/identities?userstore=a;state=active", "malformed"},
		"identity with parameter":  {"/identities/x?state=active", "none"},
		"decision with parameter":  {"/decisions/x?state=active", "none"},
	} {
		t.Run(name, func(t *testing.T) {
			p := refused(t, w.get(t, c.path), http.StatusBadRequest)
			if !strings.Contains(p.Detail, c.says) {
				t.Errorf("the detail does not say %q: %s", c.says, p.Detail)
			}
			if strings.Contains(p.Detail, "subject-p01") || strings.Contains(p.Detail, "actve") {
				t.Errorf("the detail repeats a value: %s", p.Detail)
			}
		})
	}
	for _, path := range []string{"/identities?page_size=1", "/identities?page_size=500", "/decisions?page_size=500", "/decisions?page_token="} {
		if got := w.get(t, path); got.status != http.StatusOK {
			t.Errorf("%s: %d", path, got.status)
		}
	}
}

// TestRecordsTellNothing signs in a person whose every claim can be recognised
// and looks for them in all that decisions and providers show.
func TestRecordsTellNothing(t *testing.T) {
	w := newWorld(t)
	claims := person("zebulon", map[string]any{"department": "xanadu", "groups": []any{"staff", "covfefe"}})
	first := w.login(t, generic.Request{Subject: "sub-quux", ExternalID: "ext-quux", Claims: claims})
	claims["department"] = "shangrila"
	second := w.login(t, generic.Request{Subject: "sub-quux", ExternalID: "ext-quux", Claims: claims})
	claims["user_type"] = "guest"
	third := w.login(t, generic.Request{Subject: "sub-quux", ExternalID: "ext-quux", Claims: claims})
	other := w.login(t, generic.Request{Subject: "sub-other", Claims: person("zebulon", nil)})
	all := []byte{}
	for decision, r := range map[identity.Decision]identity.Record{identity.Created: first, identity.Updated: second} {
		if r.Decision != decision {
			t.Fatalf("%s, want %s: %v", r.Decision, decision, r.Reasons)
		}
	}
	if third.Decision != identity.Denied || other.Reasons[0].Code != identity.CodeTraitTaken {
		t.Fatalf("%v, %v", third.Reasons, other.Reasons)
	}
	for _, r := range []identity.Record{first, second, third, other} {
		all = append(all, w.get(t, "/decisions/"+r.ID).body...)
	}
	all = append(all, w.get(t, "/decisions").body...)
	all = append(all, w.get(t, "/providers").body...)
	all = append(all, w.log.Bytes()...)
	for _, value := range []string{"zebulon", "xanadu", "shangrila", "covfefe", "sub-quux", "ext-quux", "sub-other"} {
		if strings.Contains(string(all), value) {
			t.Errorf("%q stands in a record or the log", value)
		}
	}
	if !strings.Contains(string(all), "/traits/department") {
		t.Error("the records do not tell which paths changed")
	}
}

func TestProviders(t *testing.T) {
	w := newWorld(t)
	list := into[admin.Providers](t, w.get(t, "/providers")).Providers
	if len(list) != 2 || list[0].Provider != "acme" || list[1].Provider != "umbrella" {
		t.Fatalf("providers: %+v", list)
	}
	if u := list[1]; u.Enabled || u.Userstore != "partners" || len(u.Issuers) != 2 || u.File != "umbrella.yaml" || len(u.Digest) != 64 {
		t.Errorf("umbrella: %+v", u)
	}
	if !list[0].Enabled || list[0].Userstore != "default" {
		t.Errorf("acme: %+v", list[0])
	}
}

// TestProvidersInPages: every page holds what it was asked for and no more, and
// together they hold everybody once, whatever goes in between.
func TestProvidersInPages(t *testing.T) {
	w := newWorld(t)
	files := fstest.MapFS{}
	load := func() {
		set, problems := loader(t).Load(files)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		w.api.Providers = func() *provider.Set { return set }
	}
	for n := range 120 {
		files[fmt.Sprintf("%d.json", n)] = &fstest.MapFile{Data: fmt.Appendf(nil, `{"version": 1, "provider": "idp-%03d", "issuer": "https://%d.example", "jit": {"enabled": true}, "traits": {"name": {"value": "claims.name"}}}`, n, n)}
	}
	load()
	first := into[admin.Providers](t, w.get(t, "/providers"))
	if len(first.Providers) != 50 || first.NextPageToken == "" {
		t.Fatalf("%d on a page, token %q", len(first.Providers), first.NextPageToken)
	}
	delete(files, "49.json") // which the token names
	load()
	var ids []string
	for page := first; ; page = into[admin.Providers](t, w.get(t, "/providers?page_size=35&page_token="+page.NextPageToken)) {
		for _, p := range page.Providers {
			ids = append(ids, p.Provider)
		}
		if page.NextPageToken == "" {
			break
		}
	}
	if want := len(slices.Compact(slices.Sorted(slices.Values(ids)))); len(ids) != 120 || want != 120 || !slices.IsSorted(ids) {
		t.Errorf("%d in all, %d of them distinct", len(ids), want)
	}
	for _, query := range []string{"page_size=0", "page_size=501", "page_token=x", "page_token=" + store.NewPageToken(store.TokenIdentities, "idp-001"), "state=active"} {
		refused(t, w.get(t, "/providers?"+query), http.StatusBadRequest)
	}
}

// TestStoreFails: a store that cannot be read is a 503, never an empty list, and says
// what is the matter.
func TestStoreFails(t *testing.T) {
	w := newWorld(t)
	r := populate(t, w, 1)[0]
	if err := w.store.Close(); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/identities", "/identities/" + r.IdentityID, "/decisions", "/decisions/" + r.ID} {
		if p := refused(t, w.get(t, path), http.StatusServiceUnavailable); !strings.Contains(p.Detail, "read right now: ") || !strings.Contains(p.Detail, store.ErrUnavailable.Error()) {
			t.Errorf("it does not say what failed: %s", p.Detail)
		}
	}
	refused(t, w.plan(t, body(t, generic.Request{Subject: "s-1", Claims: person("ann", nil)})), http.StatusServiceUnavailable)
}

package provision_test

// These tests prove that traits inside objects are traits like any other: each
// has its own writer, key and verification, an administrator may write one, and
// what stands beside it is not touched.

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/provision"
)

// inside is acme's file with traits in objects; the rest of the trait's settings
// are in further.
func inside(method, further string) string {
	f := replace(acme, "enabled: true", "enabled: true\n  attribute_sync: "+method)
	return replace(f, "department: {value: claims.department}", `address/country: {value: claims.country, absent: clear`+further+`}
  address/street: {value: claims.street, absent: clear}
  contact/mail/work: {value: claims.work, canonical: email, unique: true, verified: claims.email_verified}
  tags: {value: claims.tags}`)
}

// settled adds what the nested traits are made of.
func settled(c map[string]any) {
	c["country"], c["street"], c["work"], c["tags"] = "DE", "Hauptstr. 1", "Work@acme.example", []any{"a", "b"}
}

func TestNestedTraits(t *testing.T) {
	home := func(pairs ...string) map[string]any {
		m := map[string]any{}
		for n := 0; n < len(pairs); n += 2 {
			m[pairs[n]] = pairs[n+1]
		}
		return m
	}
	for name, c := range map[string]struct {
		method, further string
		admin           map[string]*any
		claims          func(map[string]any)
		address         any
		by              map[string]string // by path below /address
		changes         []identity.Change
	}{
		"nothing new":  {"preserve_local", "", nil, settled, home("country", "DE", "street", "Hauptstr. 1"), map[string]string{"/country": "provider:acme", "/street": "provider:acme"}, nil},
		"one follows":  {"preserve_local", "", nil, with("country", "AT"), home("country", "AT", "street", "Hauptstr. 1"), map[string]string{"/country": "provider:acme", "/street": "provider:acme"}, []identity.Change{set("/traits/address/country")}},
		"one is gone":  {"preserve_local", "", nil, without("street"), home("country", "DE"), map[string]string{"/country": "provider:acme"}, []identity.Change{remove("/traits/address/street")}},
		"both are":     {"preserve_local", "", nil, func(c map[string]any) { delete(c, "street"); delete(c, "country") }, nil, nil, []identity.Change{remove("/traits/address/country"), remove("/traits/address/street")}},
		"none changes": {"none", "", nil, with("country", "AT"), home("country", "DE", "street", "Hauptstr. 1"), map[string]string{"/country": "provider:acme", "/street": "provider:acme"}, nil},
		"import does not": {"preserve_local", ", sync: import", nil, func(c map[string]any) { c["country"], c["street"] = "AT", "Ring 2" }, home("country", "DE", "street", "Ring 2"),
			map[string]string{"/country": "provider:acme", "/street": "provider:acme"}, []identity.Change{set("/traits/address/street")}},
		"an administrator's stays": {"preserve_local", "", traits("address/country", "FR"), func(c map[string]any) { c["country"], c["street"] = "AT", "Ring 2" }, home("country", "FR", "street", "Ring 2"),
			map[string]string{"/country": "admin", "/street": "provider:acme"}, []identity.Change{set("/traits/address/street")}},
		"beside an administrator's": {"preserve_local", "", traits("address/zip", "89073"), with("country", "AT"), map[string]any{"country": "AT", "street": "Hauptstr. 1", "zip": "89073"},
			map[string]string{"/country": "provider:acme", "/street": "provider:acme", "/zip": "admin"}, []identity.Change{set("/traits/address/country")}},
		"an administrator's whole stays": {"preserve_local", "", traits("address", map[string]any{"country": "FR"}), with("country", "AT"), home("country", "FR"), map[string]string{"": "admin"}, nil},
		"force goes into it": {"preserve_local", ", sync: force", traits("address", map[string]any{"country": "FR", "zip": "1"}), with("country", "AT"), home("country", "AT", "zip", "1"),
			map[string]string{"": "admin", "/country": "provider:acme"}, []identity.Change{set("/traits/address/country")}},
		"force replaces what is no object": {"preserve_local", ", sync: force", traits("address", "somewhere"), with("country", "AT"), home("country", "AT", "street", "Hauptstr. 1"),
			map[string]string{"/country": "provider:acme", "/street": "provider:acme"}, []identity.Change{set("/traits/address/country"), set("/traits/address/street")}},
		"override_all clears what is beside": {"override_all", "", traits("address/zip", "89073"), settled, home("country", "DE", "street", "Hauptstr. 1"),
			map[string]string{"/country": "provider:acme", "/street": "provider:acme"}, []identity.Change{remove("/traits/address/zip")}},
	} {
		t.Run(name, func(t *testing.T) {
			h := open(t, inside(c.method, c.further))
			want(t, h.Provision(t.Context(), generic("s-1", ann(settled))), identity.Created)
			if c.admin != nil {
				h.admin(provision.Amend(provision.Patch{Traits: c.admin}), identity.Updated)
			}
			h.now = h.now.Add(time.Minute)
			claims := ann(settled, c.claims)
			out := h.Provision(t.Context(), generic("s-1", claims))
			if diff := cmp.Diff(c.changes, out.Record.Change); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
			i := h.only()
			if diff := cmp.Diff(c.address, i.Traits["address"]); diff != "" {
				t.Errorf("address (-want +got):\n%s", diff)
			}
			by := map[string]string{}
			for _, p := range i.Writers("/address") {
				by[p.Path[len("/address"):]] = p.Source
			}
			if c.by == nil {
				c.by = map[string]string{}
			}
			if diff := cmp.Diff(c.by, by); diff != "" {
				t.Errorf("written by (-want +got):\n%s", diff)
			}
			want(t, h.Provision(t.Context(), generic("s-1", claims)), identity.Unchanged)
		})
	}
}

// A unique trait in an object keeps others out as long as it has its value, and
// no longer, whoever takes it away.
func TestNestedUnique(t *testing.T) {
	held := identity.MailKey("employees", "work@acme.example")
	other := func(h *house, subject string) provision.Outcome {
		l := generic(subject, ann(settled, with("email", subject+"@acme.example"), with("preferred_username", subject)))
		return h.Provision(t.Context(), l)
	}
	for name, free := range map[string]func(h *house){
		"the provider": func(h *house) {
			h.Provision(t.Context(), generic("s-1", ann(settled, with("work", "w2@acme.example"))))
		},
		"an administrator": func(h *house) {
			h.admin(provision.Amend(provision.Patch{Traits: traits("contact/mail/work", "w3@acme.example")}), identity.Updated)
		},
		"who removes it": func(h *house) {
			h.admin(provision.Amend(provision.Patch{Traits: traits("contact/mail/work", nil)}), identity.Updated)
		},
		"who removes the object": func(h *house) {
			h.admin(provision.Amend(provision.Patch{Traits: traits("contact", nil)}), identity.Updated)
		},
		"who replaces it": func(h *house) {
			h.admin(provision.Amend(provision.Patch{Traits: traits("contact", "none")}), identity.Updated)
		},
		"who does not verify it": func(h *house) { h.Provision(t.Context(), generic("s-1", ann(settled, with("email_verified", false)))) },
	} {
		t.Run(name, func(t *testing.T) {
			h := open(t, inside("preserve_local", ""))
			want(t, h.Provision(t.Context(), generic("s-1", ann(settled))), identity.Created)
			if i := h.only(); !slices.Contains(i.Keys, held) {
				t.Fatal("the address is not held")
			}
			out := other(h, "s-2")
			want(t, out, identity.Denied, identity.CodeTraitTaken)
			if r := out.Record.Reasons[0]; r.Path != "/traits/contact/mail/work" {
				t.Errorf("reason %+v", r)
			}
			h.now = h.now.Add(time.Minute)
			free(h)
			if i := h.only(); slices.Contains(i.Keys, held) {
				t.Error("the address is held still")
			}
			want(t, other(h, "s-2"), identity.Created)
		})
	}
}

// A list is one value: it is compared and replaced as a whole.
func TestListsAreWholeValues(t *testing.T) {
	h := open(t, inside("preserve_local", ""))
	h.Provision(t.Context(), generic("s-1", ann(settled)))
	out := h.Provision(t.Context(), generic("s-1", ann(settled, with("tags", []any{"b"}))))
	if diff := cmp.Diff([]identity.Change{set("/traits/tags")}, out.Record.Change); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]any{"b"}, h.only().Traits["tags"]); diff != "" {
		t.Errorf("tags (-want +got):\n%s", diff)
	}
	want(t, h.Provision(t.Context(), generic("s-1", ann(settled, with("tags", []any{"b"})))), identity.Unchanged)
}

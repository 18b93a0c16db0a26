//go:build unix

package strict_test

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/jithook/jithook/test/mongo/mongotest"
	"github.com/jithook/jithook/test/server"
)

var peer mongotest.Shared

func TestMain(m *testing.M) { os.Exit(peer.Run(m)) }

type object = map[string]any

// keeps stores what somebody's claims hold as it is, with groups that are named
// like operators and paths.
const keeps = `
version: 1
provider: acme
issuer: https://acme.example
jit: {enabled: true}
traits:
  name: {value: claims.name}
  details: {value: claims.details}
groups: {from: claims.groups, allow: ["$set", "a.b", "groups.$[]"]}
`

// hostile are values whose names mean something to a database, a path or a
// reader of JSON, and what becomes of them. (A member that is null is none.)
var hostile = map[string]struct {
	details any
	status  int
}{
	"an operator":             {object{"$set": object{"name": "root"}, "$unset": object{"keys": ""}}, 200},
	"an operator of a query":  {object{"$ne": false, "$gt": "", "$where": "sleep(1000)"}, 200},
	"operators in a list":     {[]any{object{"$inc": object{"revision": float64(9)}}, object{"$each": []any{float64(1)}}}, 200},
	"an expression":           {object{"$expr": object{"$function": object{"body": "f", "lang": "js"}}, "v": "$name"}, 200},
	"a path":                  {object{"a.b": float64(1), "a": object{"b": float64(2)}, "traits.name": "root", ".": float64(3)}, 200},
	"a path of an array":      {object{"groups.$[].name": "root", "links.0.subject": "s-0"}, 200},
	"members of a document":   {object{"_id": "x", "__v": float64(1), "$id": "y", "$ref": "identities", "$db": "admin"}, 200},
	"types of extended JSON":  {object{"$oid": "0123456789abcdef01234567", "$date": "2026-11-28T12:00:00Z", "$numberLong": "1"}, 200},
	"a JSON Pointer":          {object{"/": float64(1), "~1": float64(2), "a/b": float64(3), "~": float64(4)}, 200},
	"an empty name":           {object{"": float64(1)}, 200},
	"a name with NUL":         {object{"a\x00b": float64(1)}, 400},
	"NUL alone":               {object{"\x00": float64(1)}, 400},
	"a value with NUL":        {"a\x00b", 400},
	"NUL, far down":           {[]any{object{"a": []any{object{"$set\x00": nil}}}}, 400},
	"a string like operators": {`{"$ne": null}`, 200},
}

// TestS34_OperatorsAndPaths: on the running server with each store, names and
// values that would be an operator, a path or the end of a string are stored as
// they are or refused, at the first login, at a later one and in an
// administrator's hands; they find nobody else, and nobody else is changed.
func TestS34_OperatorsAndPaths(t *testing.T) {
	binary := server.Build(t)
	for name, store := range map[string]func(t *testing.T) (section object, raw func()){
		"bolt": func(t *testing.T) (object, func()) {
			return object{"bolt": object{"path": filepath.Join(t.TempDir(), "jithook.db")}}, func() {}
		},
		"mongo": func(t *testing.T) (object, func()) {
			srv := peer.Server(t)
			name := srv.Database(t)
			return object{"mongodb": object{"uri": srv.URI, "database": name}}, func() { plainFields(t, srv.Client(t).Database(name)) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			section, raw := store(t)
			s := server.Start(t, server.Config{Binary: binary, Store: section, Providers: map[string]string{"acme.yaml": keeps}})
			s.AwaitReady(t)
			bystander := login(t, s, "s-0", object{"name": "Bystander", "details": object{"a": object{"b": "mine"}}, "groups": []string{"a.b"}}, 200)
			before := person(t, s, bystander)
			for name, c := range hostile {
				t.Run(name, func(t *testing.T) { testHostile(t, s, name, c.details, c.status) })
			}
			names(t, s)
			if diff := cmp.Diff(before, person(t, s, bystander)); diff != "" {
				t.Errorf("somebody else was changed (-before +after):\n%s", diff)
			}
			raw()
		})
	}
}

func testHostile(t *testing.T, s *server.Server, name string, details any, status int) {
	claims := object{"name": "N", "details": details, "$set": object{"name": "root"}, "a.b": "c", "groups": []string{"$set", "groups.$[]"}}
	id := login(t, s, "first: "+name, claims, status)
	if status == 200 {
		stored(t, s, id, details)
		if again := login(t, s, "first: "+name, claims, status); again != id {
			t.Errorf("a second account %s beside %s", again, id)
		}
	}
	later := login(t, s, "later: "+name, object{"name": "N", "details": "harmless"}, 200)
	login(t, s, "later: "+name, claims, status)
	want := details
	if status != 200 {
		want = "harmless"
	}
	stored(t, s, later, want)

	edited := login(t, s, "edited: "+name, object{"name": "N", "details": "harmless"}, 200)
	if got := edit(t, s, edited, object{"traits": object{"details": details}}); got != status {
		t.Errorf("edited: status %d, want %d", got, status)
	}
	stored(t, s, edited, want)
}

// names tries them where a subject, an id, a trait or a group has its name.
func names(t *testing.T, s *server.Server) {
	t.Helper()
	ids := map[string]string{}
	for _, name := range []string{"$ne", "$set", "a.b", `{"$ne":null}`, "s-0.", "$s-0", ".*", "s-0' || '1'=='1"} {
		id := login(t, s, name, object{"name": name, "details": name}, 200)
		for other, known := range ids {
			if known == id {
				t.Errorf("%q and %q are one person", name, other)
			}
		}
		ids[name] = id
		q := "/admin/v1/identities?issuer=" + url.QueryEscape("https://acme.example") + "&subject=" + url.QueryEscape(name)
		var page struct{ Identities []struct{ ID string } }
		s.Ask(t, http.MethodGet, q, nil).Decode(t, &page)
		if len(page.Identities) != 1 || page.Identities[0].ID != id {
			t.Errorf("subject %q finds %v, want %s alone", name, page.Identities, id)
		}
		for _, path := range []string{"/admin/v1/identities/", "/admin/v1/decisions/"} {
			if a := s.Ask(t, http.MethodGet, path+url.PathEscape(name), nil); a.Status != http.StatusNotFound && a.Status != http.StatusBadRequest {
				t.Errorf("%s%s: %d %s", path, name, a.Status, a.Body)
			}
		}
	}
	id := ids["$set"]
	for _, trait := range []string{"$set", "a.b", "$unset", "traits.name", "keys.0", "a\x00b"} {
		before := person(t, s, id)
		switch status := edit(t, s, id, object{"traits": object{trait: "root"}}); {
		case status == 200:
			if got := person(t, s, id)["traits"].(object); got[trait] != "root" || got["name"] != "$set" {
				t.Errorf("trait %q is taken, and not as it is: %v", trait, got)
			}
		case status >= 500:
			t.Errorf("trait %q: status %d", trait, status)
		default:
			if diff := cmp.Diff(before, person(t, s, id)); diff != "" {
				t.Errorf("trait %q is refused, and something is changed:\n%s", trait, diff)
			}
		}
	}
}

// login signs somebody in and returns their identity's id.
func login(t *testing.T, s *server.Server, subject string, claims object, status int) string {
	t.Helper()
	a := s.Post(t, "/hooks/login", object{
		"version": 1, "provider": "acme", "subject": subject, "external_id": "$ext." + subject, "flow_id": "$where", "claims": claims,
	})
	var reply struct{ Identity struct{ ID string } }
	if a.Status != status {
		t.Fatalf("%s: status %d, want %d: %s", subject, a.Status, status, a.Body)
	}
	a.Decode(t, &reply)
	return reply.Identity.ID
}

// person is an identity as the admin API shows it.
func person(t *testing.T, s *server.Server, id string) object {
	t.Helper()
	var all object
	s.Ask(t, http.MethodGet, "/admin/v1/identities/"+id, nil).Decode(t, &all)
	return all
}

func edit(t *testing.T, s *server.Server, id string, body object) int {
	t.Helper()
	return s.Edit(t, id, person(t, s, id)["revision"], body).Status
}

// stored compares what an identity has with what was sent.
func stored(t *testing.T, s *server.Server, id string, details any) {
	t.Helper()
	p := person(t, s, id)
	traits := p["traits"].(object)
	if diff := cmp.Diff(object{"name": "N", "details": details}, traits); diff != "" {
		t.Errorf("traits (-sent +stored):\n%s", diff)
	}
	for _, g := range p["groups"].([]any) {
		if name := g.(object)["name"].(string); !slices.Contains([]string{"$set", "groups.$[]"}, name) {
			t.Errorf("group %q", name)
		}
	}
}

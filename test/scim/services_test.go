//go:build unix

// Package scim_test proves what becomes of people at SCIM services: the real
// program, told of sign-ins and by administrators, against services that no one
// here wrote, and against one of ours that fails in every way.
package scim_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jithook/jithook/test/scim/scimtest"
	"github.com/jithook/jithook/test/server"
)

const acme = `version: 1
provider: acme
issuer: https://acme.example
jit: {enabled: true}
traits:
  email: {value: claims.email}
  given: {value: claims.given}
  family: {value: claims.family}
  title: {value: claims.title, absent: clear}
  department: {value: claims.department}
groups: {from: claims.groups, allow: [eng, staff]}
outbound: [hr]
`

const enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"

// peer is a SCIM service as its own people see it.
type peer struct {
	t   *testing.T
	url string
}

// call asks the service, and returns nil for what it does not have.
func (s peer) call(method, path string, body any) map[string]any {
	s.t.Helper()
	var content io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			s.t.Fatal(err)
		}
		content = bytes.NewReader(data)
	}
	r, err := http.NewRequest(method, s.url+path, content)
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+scimtest.Token)
	r.Header.Set("Content-Type", "application/scim+json")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	var out map[string]any
	if err := json.NewDecoder(answer.Body).Decode(&out); answer.StatusCode < 300 && answer.StatusCode != http.StatusNoContent && err != nil {
		s.t.Fatal(err)
	}
	if answer.StatusCode >= 300 {
		return nil
	}
	return out
}

// find returns the only resource with the value, nil if there is none.
func (s peer) find(endpoint, attribute, value string) map[string]any {
	s.t.Helper()
	list := s.call("GET", "/"+endpoint+"?filter="+url.QueryEscape(attribute+` eq "`+value+`"`), nil)
	found, _ := list["Resources"].([]any)
	switch len(found) {
	case 0:
		return nil
	case 1:
		return found[0].(map[string]any)
	}
	s.t.Fatalf("%d %s with one %s", len(found), endpoint, attribute)
	return nil
}

// members returns the ids of a group's members, and whether there is such a group.
func (s peer) members(group string) ([]string, bool) {
	g := s.find("Groups", "displayName", group)
	ids := []string{}
	list, _ := g["members"].([]any)
	for _, m := range list {
		ids = append(ids, fmt.Sprint(m.(map[string]any)["value"]))
	}
	return ids, g != nil
}

// await waits until what holds, which takes as long as the worker does.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for until := time.Now().Add(time.Minute); !holds(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("never: %s", what)
		}
	}
}

// login signs somebody in, and returns the identity's id.
func login(t *testing.T, s *server.Server, subject string, claims map[string]any) string {
	t.Helper()
	answer := s.Post(t, "/hooks/login", map[string]any{"version": 1, "provider": "acme", "subject": subject, "claims": claims})
	var out struct{ Identity struct{ ID string } }
	if answer.Status != http.StatusOK {
		t.Fatalf("%d %s", answer.Status, answer.Body)
	}
	answer.Decode(t, &out)
	return out.Identity.ID
}

func ann() map[string]any {
	return map[string]any{
		"email": "ann@acme.example", "given": "Ann", "family": "Lee", "title": "Chair", "department": "R&D", "groups": []string{"eng", "staff"},
	}
}

// shown is what a test compares of an account.
func shown(user map[string]any) map[string]any {
	out := map[string]any{}
	for _, k := range []string{"externalId", "userName", "active", "title", "name", enterprise} {
		if v, has := user[k]; has {
			out[k] = v
		}
	}
	emails, _ := user["emails"].([]any)
	for _, e := range emails {
		out["email"] = e.(map[string]any)["value"]
	}
	return out
}

func TestServices(t *testing.T) {
	t.Parallel()
	binary := server.Build(t)
	for name, c := range map[string]struct {
		start func(t *testing.T) string
		patch string
		end   string // on_deprovision
	}{
		"scimmy-routers":        {func(t *testing.T) string { return scimtest.StartSCIMMY(t) }, "auto", "deactivate"},
		"scimmy-routers, PUT":   {func(t *testing.T) string { return scimtest.StartSCIMMY(t) }, "put", "delete"},
		"scimmy-routers, Entra": {func(t *testing.T) string { return scimtest.StartSCIMMY(t) }, "microsoft", "deactivate"},
		"elimity-com/scim":      {func(t *testing.T) string { return scimtest.StartPeer(t, true) }, "auto", "delete"},
		"elimity-com/scim, PUT": {func(t *testing.T) string { return scimtest.StartPeer(t, false) }, "auto", "deactivate"},
		"with faults":           {func(t *testing.T) string { return scimtest.New(t).URL }, "rfc", "deactivate"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := peer{t, c.start(t)}
			s := server.Start(t, server.Config{
				Binary: binary, Store: map[string]any{"bolt": map[string]any{"path": filepath.Join(t.TempDir(), "j.db")}},
				Providers: map[string]string{"acme.yaml": acme},
				Outbound: map[string]any{"hr": map[string]any{
					"rules": `identity.traits.family != "Out"`,
					"scim": map[string]any{
						"url": at.url, "auth": map[string]any{"bearer": scimtest.Token}, "patch": c.patch, "groups": "create", "on_deprovision": c.end,
						"attributes": map[string]any{
							"userName": "identity.traits.email", "name.givenName": "identity.traits.given", "name.familyName": "identity.traits.family",
							"title": "identity.traits.title", "emails": `[{"value": identity.traits.email, "primary": true, "type": "work"}]`,
						},
						"enterprise": map[string]any{"department": "identity.traits.department"},
					},
				}},
			})
			life(t, s, at, c.end)
			strangers(t, s, at)
			deleted(t, s, at, c.end)
			for _, secret := range []string{scimtest.Token, "ann@acme", "Chair", "SECRET"} {
				if strings.Contains(s.Log(t), secret) {
					t.Errorf("the log has %q", secret)
				}
			}
		})
	}
}

// life follows one person.
func life(t *testing.T, s *server.Server, at peer, end string) {
	t.Helper()
	id := login(t, s, "s-1", ann())
	var user map[string]any
	await(t, "an account", func() bool { user = at.find("Users", "externalId", id); return user != nil })
	want := map[string]any{
		"externalId": id, "userName": "ann@acme.example", "active": true, "title": "Chair", "email": "ann@acme.example",
		"name": map[string]any{"givenName": "Ann", "familyName": "Lee"}, enterprise: map[string]any{"department": "R&D"},
	}
	same := func(what string) {
		t.Helper()
		await(t, what, func() bool {
			user = at.find("Users", "externalId", id)
			return cmp.Equal(want, shown(user)) || user == nil
		})
		if diff := cmp.Diff(want, shown(user)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	wantMembers := func(group string, want bool) {
		t.Helper()
		await(t, fmt.Sprintf("member of %s: %v", group, want), func() bool {
			ids, there := at.members(group)
			return there && slices.Contains(ids, fmt.Sprint(user["id"])) == want
		})
	}
	same("created")
	wantMembers("eng", true)
	wantMembers("staff", true)

	claims := ann()
	delete(claims, "title")
	claims["given"], claims["department"], claims["groups"] = "Anna", "Sales", []string{"eng"}
	login(t, s, "s-1", claims)
	delete(want, "title")
	want["name"].(map[string]any)["givenName"], want[enterprise].(map[string]any)["department"] = "Anna", "Sales"
	same("changed")
	wantMembers("staff", false)
	wantMembers("eng", true)

	edit := func(what string) {
		t.Helper()
		if answer := s.Ask(t, "POST", "/admin/v1/identities/"+id+"/"+what, nil); answer.Status != http.StatusOK {
			t.Fatalf("%s: %d %s", what, answer.Status, answer.Body)
		}
	}
	edit("suspend")
	want["active"] = false
	same("suspended")
	edit("activate")
	want["active"] = true
	same("activated")

	// What the service's own people undo is found, and mended.
	compare := func(mend string, differ int) {
		t.Helper()
		var out struct{ Identities []struct{ Mended bool } }
		answer := s.Ask(t, "POST", "/admin/v1/outbound/hr/reconcile?mend="+mend, nil)
		if answer.Decode(t, &out); answer.Status != http.StatusOK || len(out.Identities) != differ {
			t.Errorf("compared: %d %s", answer.Status, answer.Body)
		}
	}
	await(t, "all told", func() bool {
		return bytes.Contains(s.Ask(t, "GET", "/admin/v1/outbound", nil).Body, []byte(`"waiting":0`))
	})
	compare("false", 0)
	at.call("DELETE", "/Users/"+fmt.Sprint(user["id"]), nil)
	compare("false", 1)
	compare("true", 1)
	await(t, "made again", func() bool { user = at.find("Users", "externalId", id); return user != nil })
	same("made again")
	wantMembers("eng", true)

	// Leaving the rule deprovisions there, and coming back undoes it.
	gone := func(what string) {
		t.Helper()
		if end == "delete" {
			await(t, what, func() bool { return at.find("Users", "externalId", id) == nil })
			return
		}
		want["active"] = false
		same(what)
		wantMembers("eng", false)
	}
	claims["family"] = "Out"
	login(t, s, "s-1", claims)
	gone("out by the rule")
	claims["family"] = "Lee"
	login(t, s, "s-1", claims)
	want["active"] = true
	await(t, "back", func() bool { user = at.find("Users", "externalId", id); return user != nil && user["active"] == true })
	same("back")
	wantMembers("eng", true)
	edit("deprovision")
	gone("deprovisioned")
}

// strangers are at the service already: with a name that somebody here has, too.
func strangers(t *testing.T, s *server.Server, at peer) {
	t.Helper()
	bob := at.call("POST", "/Users", map[string]any{
		"schemas": []string{"urn:ietf:params:scim:schemas:core:2.0:User"}, "userName": "bob@acme.example", "title": "Theirs", "active": true,
	})
	if bob == nil {
		t.Fatal("the stranger was not made")
	}
	claims := ann()
	claims["email"], claims["title"] = "bob@acme.example", "Ours"
	id := login(t, s, "s-2", claims)
	await(t, "given up", func() bool {
		var e struct {
			Outbox []struct {
				Dead    bool
				Failure string
			}
		}
		s.Ask(t, "GET", "/admin/v1/identities/"+id+"/export", nil).Decode(t, &e)
		return len(e.Outbox) == 1 && e.Outbox[0].Dead && strings.Contains(e.Outbox[0].Failure, "no externalId")
	})
	after := at.call("GET", "/Users/"+fmt.Sprint(bob["id"]), nil)
	if diff := cmp.Diff(bob, after); diff != "" {
		t.Errorf("the stranger (-before +after):\n%s", diff)
	}
	if eng, _ := at.members("eng"); slices.Contains(eng, fmt.Sprint(bob["id"])) {
		t.Error("the stranger is in a group")
	}
}

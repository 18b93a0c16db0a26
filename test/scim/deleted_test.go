//go:build unix

package scim_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/google/uuid"

	"github.com/jithook/jithook/test/server"
)

// deleted follows somebody who is deleted, and whom the service's people open
// again: found as an orphan in the service's own list, and closed. What only looks
// like ours is closed where somebody says so; what is another's stays.
func deleted(t *testing.T, s *server.Server, at peer, end string) {
	t.Helper()
	claims := ann()
	claims["email"] = "carol@acme.example"
	id := login(t, s, "s-3", claims)
	account := func() map[string]any { return at.find("Users", "externalId", id) }
	await(t, "an account", func() bool { return account() != nil })
	if answer := s.Ask(t, "DELETE", "/admin/v1/identities/"+id, nil); answer.Status != http.StatusOK {
		t.Fatalf("deleted: %d %s", answer.Status, answer.Body)
	}
	closed := func(user map[string]any) bool {
		return user == nil && end == "delete" || user != nil && user["active"] == false
	}
	await(t, "closed", func() bool { return closed(account()) })
	await(t, "nothing is left", func() bool {
		return s.Ask(t, "GET", "/admin/v1/identities/"+id, nil).Status == http.StatusNotFound
	})

	open := func(externalID string) string {
		user := map[string]any{
			"schemas":  []string{"urn:ietf:params:scim:schemas:core:2.0:User"},
			"userName": externalID + "@acme.example", "externalId": externalID, "active": true,
		}
		if has := at.find("Users", "externalId", externalID); has != nil {
			user["id"] = has["id"]
			at.call("PUT", "/Users/"+fmt.Sprint(has["id"]), user)
			return fmt.Sprint(has["id"])
		}
		made := at.call("POST", "/Users", user)
		if made == nil {
			t.Fatal("no account")
		}
		return fmt.Sprint(made["id"])
	}
	ours, unknown := open(id), open(uuid.Must(uuid.NewV7()).String())
	orphans := func(query string) map[string]bool {
		t.Helper()
		found, foreign := map[string]bool{}, 0
		for token := "accounts.0"; token != ""; {
			var out struct {
				Identities []struct {
					Kind, Account string
					Mended        bool
				}
				Foreign       []string
				NextPageToken string `json:"next_page_token"`
			}
			answer := s.Ask(t, "POST", "/admin/v1/outbound/hr/reconcile?page_token="+token+query, nil)
			if answer.Status != http.StatusOK {
				t.Fatalf("%d %s", answer.Status, answer.Body)
			}
			answer.Decode(t, &out)
			for _, d := range out.Identities {
				if d.Kind == "orphan" {
					found[d.Account] = d.Mended
				}
			}
			foreign += len(out.Foreign)
			token = out.NextPageToken
		}
		if foreign != 1 { // bob's, of the service's own people
			t.Errorf("%d accounts are none of ours, want 1", foreign)
		}
		return found
	}
	want := func(query string, want map[string]bool) {
		t.Helper()
		if got := orphans(query); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("orphans%s: %v, want %v", query, got, want)
		}
	}
	want("", map[string]bool{ours: false, unknown: false})
	want("&mend=true", map[string]bool{ours: true, unknown: false})
	want("&mend=true&orphans=true", map[string]bool{unknown: true})
	want("", map[string]bool{})
	if !closed(account()) {
		t.Error("it is open still")
	}
}

package identity_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jithook/jithook/identity"
)

// Of a login, what targets' rules see is what its newest link says, in any order of
// the links.
func TestLoginVars(t *testing.T) {
	at := func(hour int) time.Time { return time.Date(2026, 11, 28, hour, 0, 0, 0, time.UTC) }
	old := identity.Link{Provider: "acme", Issuer: "https://acme.example", Subject: "s-1", LinkedAt: at(1), ClaimsTime: at(2)}
	dated, received, linked := old, old, old
	dated.Provider, dated.ClaimsTime = "dated", at(3)
	received.Provider, received.ReceivedAt = "received", at(3)
	linked.Provider, linked.LinkedAt = "linked", at(3)
	for name, c := range map[string]struct {
		links    []identity.Link
		provider string
		at       string
	}{
		"one": {[]identity.Link{old}, "acme", "2026-11-28T02:00:00Z"}, "none": {},
		"dated claims": {[]identity.Link{old, dated}, "dated", "2026-11-28T03:00:00Z"}, "the other order": {[]identity.Link{dated, old}, "dated", "2026-11-28T03:00:00Z"},
		"received": {[]identity.Link{old, received}, "received", "2026-11-28T03:00:00Z"}, "linked": {[]identity.Link{linked, old}, "linked", "2026-11-28T03:00:00Z"},
	} {
		want := map[string]any{}
		if c.provider != "" {
			want = map[string]any{"provider": c.provider, "issuer": "https://acme.example", "at": c.at}
		}
		if diff := cmp.Diff(want, (&identity.Identity{Links: c.links}).LoginVars()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

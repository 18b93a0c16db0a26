package metrics_test

// However many providers there are, and whatever a caller names while nobody can
// tell what is known, what is scraped stays bounded; nobody is left uncounted.

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/internal/metrics"
)

func TestManyProviders(t *testing.T) {
	m := metrics.New("v1")
	shadow := m.Shadow()
	var ids []string
	for n := range 2*metrics.MaxProviders + 7 {
		ids = append(ids, fmt.Sprintf("idp-%04d", n))
	}
	m.ProvidersLoaded(len(ids), ids, true)
	for range 2 {
		for _, id := range ids {
			m.Login(identity.Record{Provider: id, Hook: identity.HookLogin, Decision: identity.Unchanged, Reasons: []identity.Reason{
				identity.Because(identity.CodeUnchanged), identity.Because(identity.CodeGroupChangeHeld),
			}})
			shadow.Shadowed(id, []string{"groups"})
		}
	}
	m.Login(identity.Record{Hook: identity.HookLogin, Decision: identity.Unchanged, Reasons: []identity.Reason{identity.Because(identity.CodeNotFederated)}})
	beyond := fmt.Sprint(2 * (len(ids) - metrics.MaxProviders))
	for name, c := range map[string]struct {
		lines int
		label string
	}{
		"jithook_logins_total{":             {metrics.MaxProviders + 2, `decision="unchanged",hook="login",provider="(others)",reason="unchanged"`}, // and the one without a provider
		"jithook_group_changes_held_total{": {metrics.MaxProviders + 1, `provider="(others)"`},
		"jithook_shadow_logins_total{":      {metrics.MaxProviders + 1, `provider="(others)"`},
		"jithook_shadow_differences_total{": {metrics.MaxProviders + 1, `kind="groups",provider="(others)"`},
	} {
		lines := scrape(t, m, name)
		if len(lines) != c.lines {
			t.Errorf("%s: %d series, want %d", name, len(lines), c.lines)
		}
		if want := name + c.label + "} " + beyond; !slices.Contains(lines, want) {
			t.Errorf("no %s", want)
		}
		if first := func(line string) bool {
			return strings.Contains(line, `provider="idp-0000"`) && strings.HasSuffix(line, "} 2")
		}; !slices.ContainsFunc(lines, first) {
			t.Errorf("%s: the first provider is not counted by itself", name)
		}
	}
}

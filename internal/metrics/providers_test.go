package metrics_test

// Names are for those by whom people sign in: neither a load nor a caller who makes
// them up takes one. However many providers there are, and whatever a caller names while nobody can
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
	if got := scrape(t, m, "jithook_group_changes_held_total{"); !slices.Equal(got, []string{`jithook_group_changes_held_total{provider="(others)"} 0`}) {
		t.Errorf("after the load: %v", got)
	}
	slices.Reverse(ids) // who signs in first is not who is first by name
	for range 2 {
		for _, id := range ids {
			m.Login(identity.Record{Provider: id, Policy: "d1", Hook: identity.HookLogin, Decision: identity.Unchanged, Reasons: []identity.Reason{
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
			return strings.Contains(line, `provider="`+ids[0]+`"`) && strings.HasSuffix(line, "} 2")
		}; !slices.ContainsFunc(lines, first) {
			t.Errorf("%s: the first provider is not counted by itself", name)
		}
	}
}

// TestLoadNamesNobody: a series at 0 is there as soon as somebody is met, or at the
// load where all fit, and no load takes a name from those who are met later.
func TestLoadNamesNobody(t *testing.T) {
	const held = "jithook_group_changes_held_total{"
	m := metrics.New("v1")
	for load := range 3 { // as many names gone again as would fill it
		var ids []string
		for n := range metrics.MaxProviders - 1 {
			ids = append(ids, fmt.Sprintf("gone-%d-%04d", load, n))
		}
		m.ProvidersLoaded(len(ids), ids, true)
		if lines := scrape(t, m, held); len(lines) < metrics.MaxProviders-1 || len(lines) > metrics.MaxProviders+1 {
			t.Errorf("load %d: %d series", load, len(lines))
		}
	}
	m.ProvidersLoaded(2, []string{"acme"}, true)
	for _, id := range []string{"acme", "other"} {
		m.Login(identity.Record{Provider: id, Policy: "d1", Reasons: []identity.Reason{identity.Because(identity.CodeUnchanged)}})
	}
	if got := scrape(t, m, held+`provider="acme"`); !slices.Equal(got, []string{held + `provider="acme"} 0`}) {
		t.Errorf("met after the loads: %v", got)
	}
	if got := scrape(t, m, held+`provider="other"`); len(got) != 0 {
		t.Errorf("it cannot hold anything: %v", got)
	}
}

// TestNamesOfCallers: while the store is down nobody looks for the provider's file,
// and what the record has is what the caller sent.
func TestNamesOfCallers(t *testing.T) {
	m := metrics.New("v1")
	down := []identity.Reason{identity.Because(identity.CodeStoreUnavailable)}
	for n := range metrics.MaxProviders + 1 {
		m.Login(identity.Record{Provider: fmt.Sprintf("made-up-%d", n), Reasons: down})
	}
	m.Login(identity.Record{Provider: "acme", Policy: "d1", Reasons: []identity.Reason{identity.Because(identity.CodeUnchanged)}})
	m.Login(identity.Record{Provider: "acme", Reasons: down})
	m.Login(identity.Record{Provider: "acme", Reasons: []identity.Reason{identity.Because(identity.CodeUnknownProvider)}})
	want := []string{
		`jithook_logins_total{decision="",hook="",provider="",reason="store_unavailable"} ` + fmt.Sprint(metrics.MaxProviders+1),
		`jithook_logins_total{decision="",hook="",provider="",reason="unknown_provider"} 1`,
		`jithook_logins_total{decision="",hook="",provider="acme",reason="store_unavailable"} 1`,
		`jithook_logins_total{decision="",hook="",provider="acme",reason="unchanged"} 1`,
	}
	if got := scrape(t, m, "jithook_logins_total"); !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
}

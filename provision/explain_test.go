package provision_test

// These tests prove that an explanation is of the decision that a preview comes
// to, writes nothing, and says of each trait and group what becomes of it and
// whose word it is that stays.

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/provision"
)

// told is an explanation in a few lines: traits and groups that are asked for,
// each with its outcome, its line and why.
func told(x provision.Explanation, paths ...string) []string {
	line := func(name string, e provision.Effect) string {
		return strings.TrimSpace(fmt.Sprintf("%s %s %s", strings.Join(strings.Fields(name+" "+e.Outcome), " "), e.Place, e.Why))
	}
	var lines []string
	for _, s := range x.Traits {
		if slices.Contains(paths, s.Path) {
			lines = append(lines, line(s.Path, s.Effect))
		}
	}
	if x.Groups != nil && slices.Contains(paths, "/groups") {
		lines = append(lines, line("/groups", x.Groups.Effect))
		for _, m := range x.Groups.Memberships {
			lines = append(lines, line(m.Name, m.Effect))
		}
	}
	if slices.Contains(paths, "link") {
		lines = append(lines, line("link", x.Link))
	}
	return lines
}

func TestExplain(t *testing.T) {
	first := func(h *house) { h.Provision(t.Context(), generic("s-1", ann())) }
	byAdmin := func(h *house) {
		first(h)
		h.now = h.now.Add(10 * time.Minute)
		_, err := h.Edit(t.Context(), provision.Target{ID: h.only().ID}, provision.Amend(provision.Patch{
			Traits: traits("name", "Anna"), Add: []string{"board"},
		}))
		if err != nil {
			t.Fatal(err)
		}
	}
	absent := "/department absent  the claims have no value, and absent: keep"
	stale := "the claims are not applied: claims_stale"
	known := "link known  the subject is linked already"
	for name, c := range map[string]struct {
		file   string
		before func(*house)
		login  identity.Login
		want   []string
	}{
		"somebody new": {acme, func(*house) {}, generic("s-1", ann()), []string{
			"/email set a.yaml:12:18", "/username set a.yaml:13:22 value 1 of 2", "/name set a.yaml:14:17", absent,
			"/groups known  group_sync: mirror", "engineering granted", "link new  the identity is made for this subject",
		}},
		"the same again": {acme, first, generic("s-1", ann()), []string{
			"/email same a.yaml:12:18", "/username same a.yaml:13:22 value 1 of 2", "/name same a.yaml:14:17", absent,
			"/groups known  group_sync: mirror", "engineering kept", known,
		}},
		"another value, other groups": {acme, first, generic("s-1", ann(without("preferred_username"), with("nickname", "anni"), without("name"), with("department", "x"), with("groups", []any{"staff"}))), []string{
			"/email same a.yaml:12:18", "/username changed a.yaml:13:49 value 2 of 2", "/name removed a.yaml:14:38 the claims have no value, and absent: clear",
			"/department set a.yaml:15:23", "/groups known  group_sync: mirror", "engineering revoked  the mapping does not yield it any more", "staff granted", known,
		}},
		"an administrator's": {synced("preserve_local", "absent: clear"), byAdmin, generic("s-1", ann(with("groups", []any{}))), []string{
			"/email same a.yaml:13:18", "/username same a.yaml:14:22 value 1 of 2",
			"/name kept a.yaml:8:19 written by admin, which attribute_sync: preserve_local leaves alone", absent,
			"/groups known  group_sync: mirror", "board kept  granted by admin, which this login does not change", "engineering revoked  the mapping does not yield it any more", known,
		}},
		"an administrator's, forced": {synced("preserve_local", "sync: force"), byAdmin, generic("s-1", ann()), []string{
			"/email same a.yaml:13:18", "/username same a.yaml:14:22 value 1 of 2", "/name changed a.yaml:15:17", absent,
			"/groups known  group_sync: mirror", "board kept  granted by admin, which this login does not change", "engineering kept", known,
		}},
		"an administrator's, later": {synced("override_all", "absent: clear"), byAdmin, dated(generic("s-1", ann()), 5*time.Minute), []string{
			"/email same a.yaml:13:18", "/username same a.yaml:14:22 value 1 of 2", "/name kept  written by admin from newer claims", absent,
			"/groups known  group_sync: mirror", "board kept  granted by admin, which this login does not change", "engineering kept", known,
		}},
		"claims that come late": {acme, first, dated(generic("s-1", ann()), -time.Hour), []string{
			"/email not_asked  " + stale, "/username not_asked  " + stale, "/name not_asked  " + stale, "/department not_asked  " + stale,
			"/groups not_asked  " + stale, "engineering kept  " + stale, known,
		}},
		"imported": {synced("override_all", "sync: import"), first, generic("s-1", ann(with("name", "Ann Other"))), []string{
			"/email same a.yaml:13:18", "/username same a.yaml:14:22 value 1 of 2", "/name kept a.yaml:15:36 sync: import: traits are written at creation only", absent,
			"/groups known  group_sync: mirror", "engineering kept", known,
		}},
		"a mapping that refuses": {synced("override_all", "absent: reject"), first, generic("s-1", ann(without("name"))), []string{
			"/email not_asked a.yaml:15:17 the login was decided before", "/username not_asked a.yaml:15:17 the login was decided before",
			"/name refused a.yaml:15:17 " + said(identity.CodeTraitMissing), "/department not_asked a.yaml:15:17 the login was decided before",
			"/groups not_asked a.yaml:15:17 the login was decided before", "link none  the login is refused before it comes to that",
		}},
		"a rule that denies": {acme, first, generic("s-1", ann(with("guest", true))), []string{
			"/email not_asked a.yaml:10:18 the login was decided before", "/username not_asked a.yaml:10:18 the login was decided before",
			"/name not_asked a.yaml:10:18 the login was decided before", "/department not_asked a.yaml:10:18 the login was decided before",
			"/groups not_asked a.yaml:10:18 the login was decided before", "link none  the login is refused before it comes to that",
		}},
		"unknown groups": {acme, first, generic("s-1", ann(with("groups", "eng"))), []string{
			"/email same a.yaml:12:18", "/username same a.yaml:13:22 value 1 of 2", "/name same a.yaml:14:17", absent,
			"/groups unknown  nobody knows the provider's groups from these claims: what was granted stays (absent: keep)",
			"engineering kept  the provider's groups are not known", known,
		}},
		"groups at the first login": {grouped("group_sync: assign"), first, sends("staff"), []string{
			"/email same a.yaml:13:18", "/username same a.yaml:14:22 value 1 of 2", "/name same a.yaml:15:17", absent,
			"/groups not_asked a.yaml:9:15 group_sync: assign grants when the link is made", "engineering kept a.yaml:9:15 group_sync: assign revokes nothing here", known,
		}},
		"no groups": {grouped("group_sync: none"), first, sends("staff"), []string{
			"/email same a.yaml:13:18", "/username same a.yaml:14:22 value 1 of 2", "/name same a.yaml:15:17", absent,
			"/groups none a.yaml:9:15 group_sync: none", known,
		}},
		"groups only added": {grouped("group_sync: append"), first, sends("staff"), []string{
			"/email same a.yaml:13:18", "/username same a.yaml:14:22 value 1 of 2", "/name same a.yaml:15:17", absent,
			"/groups known a.yaml:9:15 group_sync: append", "engineering kept a.yaml:9:15 group_sync: append revokes nothing here", "staff granted", known,
		}},
		"too many revoked": {grouped("limits: {max_group_removals: 0}"), first, sends("staff"), []string{
			"/email same a.yaml:13:18", "/username same a.yaml:14:22 value 1 of 2", "/name same a.yaml:15:17", absent,
			"/groups known  group_sync: mirror", "engineering kept a.yaml:9:32 max_group_removals: an administrator has to release the change", known,
		}},
		"somebody protected": {grouped("protected: size(identity.groups) > 0"), first, sends("staff"), []string{
			"/email same a.yaml:13:18", "/username same a.yaml:14:22 value 1 of 2", "/name same a.yaml:15:17", absent,
			"/groups known  group_sync: mirror", "engineering revoked  the mapping does not yield it any more",
			"staff withheld  the identity is protected: an administrator grants it", known,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			h := open(t, c.file)
			c.before(h)
			preview, err := h.Preview(t.Context(), c.login)
			if err != nil {
				t.Fatal(err)
			}
			h.store.reads.Store(0)
			h.store.writes.Store(0)
			out, x, err := h.Explain(t.Context(), c.login)
			if err != nil {
				t.Fatal(err)
			}
			if w := h.store.writes.Load(); w > 0 {
				t.Errorf("%d writes", w)
			}
			if out.Record.Decision != preview.Record.Decision || !slices.Equal(out.Record.Reasons, preview.Record.Reasons) || !slices.Equal(out.Record.Change, preview.Record.Change) {
				t.Errorf("explained %+v, previewed %+v", out.Record, preview.Record)
			}
			if diff := cmp.Diff(c.want, told(x, "/email", "/username", "/name", "/department", "/groups", "link")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// said is what an operator is told of a code.
func said(code identity.Code) string {
	info, _ := code.Info()
	return string(code) + ": " + info.Operator
}

// dated is a login with claims that were made so long after noon.
func dated(l identity.Login, after time.Duration) identity.Login {
	l.At = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC).Add(after)
	return l
}

// TestExplainLookup: how somebody was found, and what each rule came to.
func TestExplainLookup(t *testing.T) {
	h := findable(t, auto)
	_, x, err := h.Explain(t.Context(), fromGlobex("g-1"))
	if err != nil {
		t.Fatal(err)
	}
	if x.Match.By != "lookup" || x.Match.IdentityID != h.only().ID || x.Match.Match.Rule != "b.yaml:12:41" || x.Link != (provision.Effect{Outcome: "linked", Why: "account_linking: auto", Place: "b.yaml:14:20"}) {
		t.Errorf("%+v, %+v", x.Match, x.Link)
	}
	var rules []string
	for _, r := range x.Rules {
		rules = append(rules, strings.TrimSpace(fmt.Sprintf("%s %t %s", strings.TrimSpace(r.Kind+" "+r.Name), r.Asked, r.Note)))
	}
	want := []string{"lookup /email true finds " + h.only().ID, "lookup /username true not asked: there is no value to look for", "deny guest true", "allow true"}
	if diff := cmp.Diff(want, rules); diff != "" {
		t.Error(diff)
	}
	_, x, err = h.Explain(t.Context(), fromGlobex("g-1", without("email_verified")))
	if err != nil || x.Match.By != "nobody" || x.Rules[0].Note != "not asked: nobody whose word counts has verified the value (verified, trust)" {
		t.Errorf("%v, %+v, %+v", err, x.Match, x.Rules[0])
	}
}

// TestExplainNested: of several writers of a trait it names the one whose word
// stays.
func TestExplainNested(t *testing.T) {
	h := open(t, replace(acme, "  department: {value: claims.department}", "  address: {value: claims.address}"))
	claims := ann(with("address", map[string]any{"zip": "1", "country": "DE"}))
	h.Provision(t.Context(), generic("s-1", claims))
	if _, err := h.Edit(t.Context(), provision.Target{ID: h.only().ID}, provision.Amend(provision.Patch{Traits: traits("address/zip", "2")})); err != nil {
		t.Fatal(err)
	}
	_, x, err := h.Explain(t.Context(), generic("s-1", claims))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"/address kept  written by admin (/address/zip), which attribute_sync: preserve_local leaves alone"}
	if diff := cmp.Diff(want, told(x, "/address")); diff != "" {
		t.Error(diff)
	}
}

// TestExplainTargets: who would learn of it.
func TestExplainTargets(t *testing.T) {
	h := open(t, acme+"outbound: [hr]\n")
	_, x, err := h.Explain(t.Context(), generic("s-1", ann()))
	if err != nil || len(x.Outbound) != 1 || x.Outbound[0] != (provision.TargetStory{Name: "hr", Place: "a.yaml:17:12"}) {
		t.Errorf("%v, %+v", err, x.Outbound)
	}
	h.Provision(t.Context(), generic("s-1", ann()))
	if _, x, err = h.Explain(t.Context(), generic("s-1", ann())); err != nil || len(x.Outbound) > 0 {
		t.Errorf("unchanged: %v, %+v", err, x.Outbound)
	}
}

package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/jithook/jithook/admin"
	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/internal/expr"
	"github.com/jithook/jithook/policy"
	"github.com/jithook/jithook/provision"
)

// teller lays out for people why a login becomes what it does.
type teller struct {
	painter
	w io.Writer
}

func newTeller(w io.Writer) teller { return teller{newPainter(w), w} }

// line writes a line so far in; what is empty in it is left out.
func (t teller) line(depth int, parts ...string) {
	parts = slices.DeleteFunc(parts, func(p string) bool { return p == "" })
	fmt.Fprintln(t.w, strings.Repeat("  ", depth)+strings.Join(parts, "  "))
}

// plan writes a plan with its explanation.
func (t teller) plan(p admin.Plan) error {
	x := p.Explanation
	verdict := t.good(string(p.Decision))
	if !p.Decision.Allowed() {
		verdict = t.bad(string(p.Decision))
	}
	codes := make([]string, len(p.Reasons))
	for n, r := range p.Reasons {
		codes[n] = codeText(r)
	}
	t.line(0, verdict, strings.Join(codes, ", "), t.dim(shown(p.Rule)))
	if info, ok := p.Reasons[0].Code.Info(); ok && !p.Decision.Allowed() {
		t.line(1, info.Operator)
	}
	t.line(1, "match", foundText(x.Match))
	if x.Link.Outcome != "" {
		t.line(1, "link", t.effect(x.Link))
	}
	if p.Identity != nil && p.Identity.Userstore != "" {
		t.line(1, "userstore", shown(p.Identity.Userstore))
	}
	t.section("Policy")
	t.rules(1, x.Rules)
	t.section("Traits")
	for _, s := range x.Traits {
		t.trait(s)
	}
	if x.Groups != nil {
		t.section("Groups")
		t.groups(*x.Groups)
	}
	if len(x.Outbound) > 0 {
		t.section("Outbound")
		for _, target := range x.Outbound {
			t.line(1, shown(target.Name), waitText(target), t.dim(shown(target.Place)))
		}
	}
	return nil
}

func (t teller) section(name string) { fmt.Fprintf(t.w, "\n%s\n", t.bold(name)) }

// codeText is a reason as it is told apart from others.
func codeText(r identity.Reason) string {
	text := shown(string(r.Code))
	if r.Rule != "" {
		text += " (" + shown(r.Rule) + ")"
	}
	if r.Path != "" {
		text += " at " + shown(r.Path)
	}
	return text
}

// foundText says who was found, and how.
func foundText(m provision.Finding) string {
	if m.IdentityID == "" {
		return "nobody is known"
	}
	return shown(m.IdentityID) + " by " + shown(wayText(m))
}

// wayText is how somebody was found.
func wayText(m provision.Finding) string {
	if m.By == policy.KindLookup {
		return fmt.Sprintf("%s, verified there by %s and here by %s", m.Match.Path, m.Match.ClaimedBy, m.Match.StoredBy)
	}
	return strings.ReplaceAll(m.By, "_", " ")
}

func waitText(target provision.TargetStory) string {
	if target.Waits {
		return "the login waits for it"
	}
	return ""
}

// effect is what becomes of something, why, and which line says so.
func (t teller) effect(e provision.Effect) string {
	text := t.outcome(e.Outcome)
	if e.Why != "" {
		text += ": " + shown(e.Why)
	}
	if e.Place != "" {
		text += "  " + t.dim(shown(e.Place))
	}
	return text
}

func (t teller) outcome(word string) string {
	switch word {
	case "set", "changed", "granted", "linked", "new":
		return t.good(word)
	case "removed", "revoked", "refused", "withheld":
		return t.bad(word)
	}
	return strings.ReplaceAll(shown(word), "_", " ")
}

// rules writes rules with the values of their parts, places and verdicts below
// each other.
func (t teller) rules(depth int, all []provision.RuleStory) {
	if len(all) == 0 {
		t.line(depth, "no rules")
	}
	wide, far := 0, 0
	for _, r := range all {
		wide, far = max(wide, utf8.RuneCountInString(ruleName(r))), max(far, utf8.RuneCountInString(r.Pos))
	}
	for _, r := range all {
		verdict := t.dim("not asked")
		switch {
		case r.Missing != "":
			verdict = "no value"
		case r.Error != "":
			verdict = t.bad("fails")
		case r.Asked:
			verdict = jsonText(r.Value, r.Cut)
		}
		decided := ""
		if r.Decided {
			decided = t.bold("<- decides")
		}
		t.line(depth, pad(ruleName(r), wide), t.dim(pad(shown(r.Pos), far)), verdict, decided)
		if r.Note != "" {
			t.line(depth+1, shown(r.Note))
		}
		if r.Asked {
			t.picture(depth+1, r.Trace)
		}
	}
}

func ruleName(r provision.RuleStory) string {
	return strings.TrimSpace(strings.ReplaceAll(shown(r.Kind), "_", " ") + " " + shown(r.Name))
}

func pad(text string, wide int) string {
	return text + strings.Repeat(" ", max(0, wide-utf8.RuneCountInString(text)))
}

func (t teller) picture(depth int, x expr.Trace) {
	for _, line := range t.painter.picture(x) {
		t.line(depth, line)
	}
	said := slices.ContainsFunc(x.Steps, func(m expr.Mark) bool { return m.Failure == "the claim "+x.Missing+" is missing" })
	if x.Error != "" && !said {
		t.line(depth, t.bad("! ")+shown(x.Error))
	}
}

func (t teller) trait(s provision.TraitStory) {
	value := ""
	if s.After != nil {
		value = jsonText(s.After, false)
	}
	t.line(1, t.bold(shown(s.Path)), value, t.effect(s.Effect))
	if s.Outcome == "changed" || s.Outcome == "removed" {
		t.line(2, "it was", jsonText(s.Before, false))
	}
	if s.Mapped != nil && s.Outcome != "set" && s.Outcome != "changed" && s.Outcome != "same" {
		t.line(2, "the mapping yields", jsonText(s.Mapped, false))
	}
	if s.VerifiedBy != "" {
		t.line(2, "verified by", shown(s.VerifiedBy))
	}
	if s.Unverified != "" {
		t.line(2, "not verified:", shown(s.Unverified))
	}
	t.rules(2, s.Rules)
}

func (t teller) groups(g provision.GroupStory) {
	t.line(1, t.effect(g.Effect))
	t.rules(1, g.Rules)
	for _, s := range g.Said {
		if s.Grants == "" {
			t.line(2, jsonText(s.Name, false), "grants nothing: neither allowed nor mapped")
			continue
		}
		t.line(2, jsonText(s.Name, false), "grants "+shown(s.Grants))
	}
	for _, m := range g.Memberships {
		t.line(1, t.bold(shown(m.Name)), t.effect(m.Effect))
	}
}

package rules

import (
	"context"
	"slices"
	"strings"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/provision"
)

// Because is a reason for a difference that no expression shows: what became of
// what (a JSON Pointer), why, and which line says so. Of a decision the outcome
// is its reason code.
type Because struct {
	Path string `json:"path"`
	provision.Effect
}

// because puts below each difference why it is there, as far as the login's
// story has words for it.
func (g game) because(ctx context.Context, diffs []Diff) error {
	if len(diffs) == 0 {
		return nil
	}
	out, story, err := g.service.Explain(ctx, g.login)
	if err != nil {
		return err
	}
	t := teller{out, story}
	at := slices.IndexFunc(diffs, func(d Diff) bool { return d.Path == "/code" })
	if at = max(at, 0); diffs[at].Path == "/code" || diffs[at].Path == "/decision" {
		diffs[at].Because = t.decision()
	}
	for n, d := range diffs {
		switch name, trait := strings.CutPrefix(d.Path, "/traits"); {
		case trait:
			diffs[n].Because = t.trait(identity.Pointer(name[1:]))
		case d.Path == "/groups":
			diffs[n].Because = t.groups(apart(d))
		case d.Path == "/verified":
			diffs[n].Because = t.verified(apart(d))
		}
	}
	return nil
}

// apart are the names that one side of a difference has, and the other not.
func apart(d Diff) []string {
	want, _ := d.Want.([]string)
	got, _ := d.Got.([]string)
	var names []string
	for _, name := range slices.Concat(want, got) {
		if slices.Contains(want, name) != slices.Contains(got, name) {
			names = append(names, name)
		}
	}
	return names
}

// teller knows what became of a login, and the story of it.
type teller struct {
	out   provision.Outcome
	story provision.Explanation
}

// tell is what an effect says, if it has words.
func tell(path string, e provision.Effect) []Because {
	if e.Why == "" {
		return nil
	}
	return []Because{{path, e}}
}

// decision says what the reason means, and what became of the subject; of a login
// that changes nothing also what is kept from it.
func (t teller) decision() []Because {
	why := t.out.Record.Reasons[0]
	info, _ := why.Code.Info()
	all := tell("/code", provision.Effect{Outcome: string(why.Code), Why: info.Operator, Place: t.out.Record.Rule})
	if t.story.Link.Outcome == "refused" || t.out.Record.Decision == identity.Linked {
		all = append(all, tell("/links", t.story.Link)...)
	}
	if t.out.Record.Decision != identity.Unchanged {
		return all
	}
	for _, s := range t.story.Traits {
		if s.Mapped != nil {
			all = append(all, keptOnly("/traits"+s.Path, s.Effect)...)
		}
	}
	if g := t.story.Groups; g != nil {
		for _, m := range g.Memberships {
			all = append(all, keptOnly("/groups"+identity.Pointer(m.Name), m.Effect)...)
		}
	}
	return all
}

func keptOnly(path string, e provision.Effect) []Because {
	if e.Outcome != "kept" {
		return nil
	}
	return tell(path, e)
}

// trait says what became of a trait and of what is inside it.
func (t teller) trait(path string) []Because {
	var all []Because
	for _, s := range t.story.Traits {
		if s.Path == path || strings.HasPrefix(s.Path, path+"/") {
			all = append(all, tell("/traits"+s.Path, s.Effect)...)
		}
	}
	return all
}

// verified says of traits why the provider's word does not count, or who
// vouches for them.
func (t teller) verified(names []string) []Because {
	var all []Because
	for _, s := range t.story.Traits {
		if !slices.Contains(names, s.Path) && !slices.ContainsFunc(names, func(name string) bool { return identity.Pointer(name) == s.Path }) {
			continue
		}
		switch path := "/traits" + s.Path; {
		case s.Unverified != "":
			all = append(all, tell(path, provision.Effect{Outcome: "unverified", Why: s.Unverified})...)
		case s.VerifiedBy != "":
			all = append(all, tell(path, provision.Effect{Outcome: "verified", Why: "by " + s.VerifiedBy})...)
		default:
			all = append(all, tell(path, s.Effect)...)
		}
	}
	return all
}

// groups says why nobody knows the provider's groups, or what became of the
// memberships with these names.
func (t teller) groups(names []string) []Because {
	g := t.story.Groups
	if g == nil {
		return nil
	}
	var all []Because
	if g.Outcome != "known" {
		all = tell("/groups", g.Effect)
	}
	for _, m := range g.Memberships {
		if slices.Contains(names, m.Name) {
			all = append(all, tell("/groups"+identity.Pointer(m.Name), m.Effect)...)
		}
	}
	return all
}

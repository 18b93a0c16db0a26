package provision

import (
	"slices"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/internal/expr"
	"github.com/jithook/jithook/mapper"
	"github.com/jithook/jithook/policy"
)

// notes are what a plan tells about itself while it is made, for an Explanation.
// A nil one takes none: a login costs nothing more.
type notes struct {
	asked map[expr.Source]expr.Trace
	// questions are what became of lookup rules, by their places.
	questions map[string]string
	mapped    mapper.Result
	// managed says that the groups were asked for.
	managed bool
	keepers map[string]keeper // by the trait's path
}

// keeper is why a trait is not this login's to write.
type keeper struct {
	by     identity.Provenance // empty where it is nobody's
	frozen bool                // it is written at creation only
	newer  bool                // by's claims are newer than the login's
}

func newNotes() *notes {
	return &notes{asked: map[expr.Source]expr.Trace{}, questions: map[string]string{}, keepers: map[string]keeper{}}
}

func (n *notes) evaluated(x expr.Explanation) { n.asked[x.Source] = x.Trace() }

// question notes what a lookup rule looks for, before that is judged.
func (n *notes) question(rule policy.LookupRule, value string, trait mapper.Trait, mapped bool) {
	if n == nil {
		return
	}
	note := "asked: the provider vouches for the value"
	switch {
	case value == "":
		note = "not asked: there is no value to look for"
	case !mapped:
		note = "not asked: no trait is mapped at " + rule.Path
	case !trait.Verified:
		note = "not asked: nobody whose word counts has verified the value (verified, trust)"
	case !spelt(value, trait.Value):
		note = "not asked: the trait " + rule.Path + " is mapped from another value"
	}
	n.questions[rule.Pos()] = note
}

// answered notes whom the lookup rules found.
func (n *notes) answered(asked []question, m *match) {
	if n == nil {
		return
	}
	for _, q := range asked {
		note := "nobody has this value, verified and in the last 90 days"
		if m != nil && m.evidence.Rule == q.rule.Pos() {
			note = "finds " + m.identity.ID
		}
		n.questions[q.rule.Pos()] = note
	}
}

// yielded notes what the mapping yields.
func (n *notes) yielded(r mapper.Result) {
	if n == nil {
		return
	}
	n.mapped = r
	n.mapped.Groups.Names = slices.Clone(r.Groups.Names)
	n.managed = r.Groups.Managed
}

// merging notes what keeps the difference from writing traits: it judges each
// writer of a trait as if there were no other.
func (n *notes) merging(d difference, traits []mapper.Trait) {
	if n == nil {
		return
	}
	for _, t := range traits {
		if d.writes(t) {
			continue
		}
		k := keeper{frozen: d.frozen(t.Sync)}
		for _, by := range d.identity.Writers(t.Path) {
			alone := d
			alone.identity = &identity.Identity{Provenance: []identity.Provenance{by}}
			if !k.frozen && !alone.writes(t) {
				k.by, k.newer = by, d.methodOf(t.Sync) == policy.OverrideAll && d.later(by)
				break
			}
		}
		n.keepers[t.Path] = k
	}
}

package provision

import (
	"fmt"
	"slices"
	"strings"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/internal/expr"
	"github.com/jithook/jithook/mapper"
	"github.com/jithook/jithook/policy"
)

// What becomes of a trait.
const (
	traitSet      = "set"
	traitChanged  = "changed"
	traitSame     = "same"
	traitKept     = "kept"
	traitRemoved  = "removed"
	traitAbsent   = "absent"
	traitRefused  = "refused"
	traitNotAsked = "not_asked"
)

// TraitStory is what becomes of a trait, and why.
type TraitStory struct {
	Path string `json:"path"` // JSON Pointer into the traits
	Effect
	// Before and After are what the identity has, Mapped is what the mapping
	// yields; nil is nothing.
	Before any `json:"before,omitempty"`
	Mapped any `json:"mapped,omitempty"`
	After  any `json:"after,omitempty"`
	// WrittenBy is who wrote what the identity has then, VerifiedBy who vouches
	// for it.
	WrittenBy  string `json:"written_by,omitempty"`
	VerifiedBy string `json:"verified_by,omitempty"`
	// Unverified says why the provider's word that the value is verified does
	// not count.
	Unverified string      `json:"unverified,omitempty"`
	Rules      []RuleStory `json:"rules"` // value, verified
}

func (x explainer) trait(t mapper.TraitInfo) TraitStory {
	s := TraitStory{Path: t.Path, Rules: []RuleStory{}}
	for _, p := range t.Values {
		s.Rules = append(s.Rules, x.expression("value", p))
	}
	if t.Verified != nil {
		s.Rules = append(s.Rules, x.expression("verified", t.Verified))
	}
	mapped, came := x.mappedTo(t.Path)
	if came && mapped.Action == mapper.Set {
		s.Mapped = traitValue(mapped)
	}
	x.holds(&s)
	s.Effect = x.effect(t, s, mapped, came)
	switch said := came && t.Verified != nil && !mapped.Absent && x.asked[t.Verified.Source()].Value == true; {
	case said && !mapped.Verified:
		s.Unverified = "the provider says so, and is not trusted with this domain (trust)"
	case said && mapped.Numbered && isNumbered(s.After, mapped.Canonical):
		s.Unverified = "the provider says so of the name without the number"
	}
	return s
}

// holds fills in what the identity has before and after.
func (x explainer) holds(s *TraitStory) {
	if x.Before != nil {
		s.Before, _ = x.Before.Trait(s.Path)
	}
	if x.After != nil {
		s.After, _ = x.After.Trait(s.Path)
		by, _ := x.After.ProvenanceOf(s.Path)
		s.WrittenBy, s.VerifiedBy = by.Source, by.VerifiedBy
	}
}

// effect says what becomes of a mapped trait.
func (x explainer) effect(t mapper.TraitInfo, s TraitStory, mapped mapper.Trait, came bool) Effect {
	keeper, kept := x.keepers[t.Path]
	switch {
	case x.refusedBy("/traits"+t.Path, append([]*expr.Program{t.Verified}, t.Values...)...):
		return Effect{Outcome: traitRefused, Why: x.because(), Place: x.Record.Rule}
	case !came:
		return x.unasked()
	case x.After == nil:
		return Effect{Outcome: traitNotAsked, Why: "the login is refused: nothing is written"}
	case kept:
		return x.keeping(t, s, keeper)
	case s.WrittenBy == identity.SourceUser:
		return Effect{Outcome: traitKept, Why: "the person answered it"}
	}
	why, place := x.origin(t, mapped)
	switch {
	case mapped.Action == mapper.Clear && s.Before != nil:
		return Effect{traitRemoved, why, place}
	case mapped.Action == mapper.Clear, mapped.Action == mapper.Keep && s.Before == nil:
		return Effect{traitAbsent, why, place}
	case mapped.Action == mapper.Keep:
		return Effect{traitKept, why, place}
	case mapped.Numbered && isNumbered(s.After, mapped.Canonical):
		why = "somebody has the name: it gets a number (on_taken: suffix)"
	}
	switch {
	case s.Before == nil:
		return Effect{traitSet, why, place}
	case equalJSON(s.Before, s.After):
		return Effect{traitSame, why, place}
	}
	return Effect{traitChanged, why, place}
}

// unasked is what becomes of what the mapping was not asked for.
func (x explainer) unasked() Effect {
	if !x.Record.Decision.Allowed() {
		return Effect{Outcome: traitNotAsked, Why: "the login was decided before", Place: x.Record.Rule}
	}
	why := "the claims are not applied"
	if further := x.Record.Reasons[1:]; len(further) > 0 {
		why += ": " + string(further[0].Code)
	}
	return Effect{Outcome: traitNotAsked, Why: why}
}

// origin says which of the alternatives yields what the mapping yields.
func (x explainer) origin(t mapper.TraitInfo, mapped mapper.Trait) (why, place string) {
	if mapped.Absent {
		place = x.prov.Place("traits." + t.Path[1:] + ".absent")
		return "the claims have no value, and absent: " + t.Absent, place
	}
	at := -1
	for n, p := range t.Values {
		if _, asked := x.asked[p.Source()]; asked {
			at = n
		}
	}
	if at < 0 {
		return "", ""
	}
	if len(t.Values) > 1 {
		why = fmt.Sprintf("value %d of %d", at+1, len(t.Values))
	}
	return why, t.Values[at].Source().Pos()
}

// keeping says why a trait is not this login's to write.
func (x explainer) keeping(t mapper.TraitInfo, s TraitStory, k keeper) Effect {
	method, place := "attribute_sync: "+string(x.prov.Policy.AttributeSync()), x.prov.Place("jit.attribute_sync")
	if t.Sync != mapper.SyncInherit {
		method, place = "sync: "+t.Sync, x.prov.Place("traits."+t.Path[1:]+".sync")
	}
	outcome := traitKept
	if s.After == nil {
		outcome = traitAbsent
	}
	who := k.by.Source
	if k.by.Path != "" && k.by.Path != s.Path {
		who += " (" + k.by.Path + ")"
	}
	switch {
	case k.frozen:
		return Effect{outcome, method + ": traits are written at creation only", place}
	case k.newer:
		return Effect{outcome, "written by " + who + " from newer claims", ""}
	case answered(k.by):
		return Effect{outcome, "the person answered it, and the claims have no value", ""}
	}
	return Effect{outcome, "written by " + who + ", which " + method + " leaves alone", place}
}

// leftovers are the traits that change and that no trait of the mapping is about.
func (x explainer) leftovers() []TraitStory {
	var stories []TraitStory
	mapped := x.prov.Mapping.Traits()
	for _, c := range x.Record.Change {
		path, ok := strings.CutPrefix(c.Path, "/traits")
		if !ok || slices.ContainsFunc(mapped, func(t mapper.TraitInfo) bool { return t.Path == path }) {
			continue
		}
		s := TraitStory{Path: path, Rules: []RuleStory{}, Effect: Effect{Outcome: traitRemoved}}
		x.holds(&s)
		switch {
		case s.WrittenBy == identity.SourceUser:
			s.Effect = Effect{Outcome: traitSet, Why: "the person answered it"}
		case s.After != nil && equalJSON(s.Before, s.After):
			s.Effect = Effect{Outcome: traitSame, Why: "nobody whose word counts vouches for it any more (trust)"}
		case x.prov.Policy.AttributeSync() == policy.OverrideAll:
			s.Why, s.Place = "no trait of the mapping is about it, and attribute_sync: override_all", x.prov.Place("jit.attribute_sync")
		}
		stories = append(stories, s)
	}
	return stories
}

package rules

import (
	"errors"
	"slices"

	"github.com/jithook/jithook/internal/expr"
	"github.com/jithook/jithook/mapper"
	"github.com/jithook/jithook/provider"
)

// Coverage is what cases reached of providers' files.
type Coverage struct {
	Reached, All int
	// Missed are the places that no case reached, in the order of their files'
	// policies and mappings.
	Missed []Missed
}

// Missed is a place that no case reached.
type Missed struct {
	Pos  string `json:"pos"` // file:line:col
	Text string `json:"text"`
	// Never is what did not happen: "asked", "true", "false", "taken", "absent".
	Never string `json:"never"`
}

// Percent is how much was reached, of 100; of nothing it is 100.
func (c Coverage) Percent() float64 {
	if c.All == 0 {
		return 100
	}
	return 100 * float64(c.Reached) / float64(c.All)
}

// Cover returns what the results reached of the providers, those without a case
// among them. Of a rule of the policy that is true and false, of any other
// expression that it was asked, of ?: each side, of || and && that each part
// decided, and of a trait and the groups that they were absent if the file says
// what that means.
func Cover(providers []*provider.Provider, results []Result) Coverage {
	seen := map[expr.Source][]expr.Explanation{}
	for _, r := range results {
		for _, x := range r.Rules {
			seen[x.Source] = append(seen[x.Source], x)
		}
	}
	var c Coverage
	for _, prov := range providers {
		for _, p := range prov.Policy.Rules() {
			c.program(p, seen[p.Source()], "true", "false")
		}
		for _, p := range prov.Policy.Programs()[len(prov.Policy.Rules()):] {
			c.program(p, seen[p.Source()], "asked")
		}
		for _, p := range prov.Mapping.Programs() {
			c.program(p, seen[p.Source()], "asked")
		}
		for _, t := range prov.Mapping.Traits() {
			if t.Absent != mapper.AbsentKeep { // to keep is what happens where nothing is said
				last := t.Values[len(t.Values)-1]
				c.absent(last, prov.Place("traits."+t.Path[1:]+".absent"), seen[last.Source()])
			}
		}
		if g, ok := prov.Mapping.Groups(); ok && g.Absent != mapper.AbsentKeep {
			c.absent(g.From, prov.Place("groups.absent"), seen[g.From.Source()])
		}
	}
	return c
}

// program counts an expression: what it should have been, and its branches.
func (c *Coverage) program(p *expr.Program, seen []expr.Explanation, wanted ...string) {
	for _, w := range wanted {
		c.count(slices.ContainsFunc(seen, func(x expr.Explanation) bool {
			return w == "asked" || x.Err == nil && x.Value == (w == "true")
		}), Missed{p.Source().Pos(), p.Source().Text, w})
	}
	for n, b := range p.Branches() {
		c.count(slices.ContainsFunc(seen, func(x expr.Explanation) bool { return x.Taken[n] }), Missed{b.Pos, b.Text, b.When})
	}
}

// absent counts what becomes of what the claims have no value for: the last of
// the expressions was asked, and there was none. The place is the line that says
// what that means.
func (c *Coverage) absent(last *expr.Program, place string, seen []expr.Explanation) {
	var missing *expr.MissingError
	c.count(slices.ContainsFunc(seen, func(x expr.Explanation) bool {
		return errors.As(x.Err, &missing) || x.Err == nil && x.Value == nil
	}), Missed{place, last.Source().Text, "absent"})
}

func (c *Coverage) count(reached bool, m Missed) {
	c.All++
	if reached {
		c.Reached++
		return
	}
	c.Missed = append(c.Missed, m)
}

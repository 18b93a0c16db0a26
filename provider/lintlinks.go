package provider

import (
	"slices"
	"strings"

	"github.com/jithook/jithook/internal/expr"
	"github.com/jithook/jithook/internal/strictyaml"
	"github.com/jithook/jithook/mapper"
	"github.com/jithook/jithook/policy"
)

// linking finds lookups that rest on no word or on too weak a one.
func (l *linter) linking() {
	trust := l.file.Trust
	links := l.provider.Policy.Linking() != policy.LinkingDisabled
	for _, rule := range l.file.JIT.Lookup {
		path := strings.TrimPrefix(rule.Local.Value, traitsPath)
		at := slices.IndexFunc(l.provider.Mapping.Traits(), func(t mapper.TraitInfo) bool { return t.Path == path })
		trait := l.provider.Mapping.Traits()[at]
		if l.isMadeOfOthers(trait, rule.Federated) {
			l.found(LintLookupOther, rule.Federated.Problemf(""), "%s is made of another claim, and only that one is verified: where the two differ, this rule finds nobody", rule.Local.Value)
		}
		email := trait.Canonical == mapper.CanonicalEmail
		switch {
		case email && !trust.EmailVerified && len(trust.AuthoritativeDomains) == 0:
			l.found(LintLinkUntrusted, rule.Local.Problemf(""), "trust covers no domain: no address of this provider counts as verified, and this rule finds nobody")
		case !links || trait.Verified == nil:
		case l.contradicts(trait):
			l.found(LintLinkUntrusted, rule.Local.Problemf(""), "verified is true where the provider says that it is not: of every claim that it asks false is enough")
		case email && !trust.EmailVerified: // these domains' addresses are the provider's to give
		case !l.nothing.MayYield(trait.Verified, false) && email:
			l.found(LintLinkUntrusted, rule.Local.Problemf(""), "verified is true of every address, and trust.email_verified believes it for every domain: whoever types an address there has the account behind it")
		case l.isOwnWord(trait) || l.vouchesUnasked(trait):
			l.found(LintLinkUntrusted, rule.Local.Problemf(""), "verified may be true where the provider says nothing but the value itself: whoever types one there has the account behind it")
		}
	}
}

// isMadeOfOthers reports whether a claim is none of those that a trait is made
// of. Of expressions nobody can tell.
func (l *linter) isMadeOfOthers(t mapper.TraitInfo, federated strictyaml.Text) bool {
	p, err := l.env.Compile(source(federated))
	if err != nil {
		return false
	}
	path, plain := p.ClaimPath()
	return plain && t.Plain && !slices.ContainsFunc(t.ClaimPaths, func(of []string) bool { return slices.Equal(of, path) })
}

// isOwnWord reports whether a trait's verified reads no claim but those that
// the value is made of, each of which is the value itself.
func (l *linter) isOwnWord(t mapper.TraitInfo) bool {
	if _, all := t.Verified.ClaimNames(); all || !t.Plain {
		return false
	}
	own := ownPaths(t)
	return !slices.ContainsFunc(t.Verified.Reads(), func(r expr.Read) bool { return !within(r.Path, own) })
}

// contradicts reports whether a trait's verified asks claims of the provider and is
// true where it says false to each, as where it says true: else false is the word
// that is asked for, as in !claims.guest.
func (l *linter) contradicts(t mapper.TraitInfo) bool {
	asks := slices.ContainsFunc(t.Verified.Reads(), func(r expr.Read) bool { return !within(r.Path, ownPaths(t)) })
	return asks && l.vouches(t, l.told(t, false)) && l.vouches(t, l.told(t, true))
}

// vouchesUnasked reports whether a trait's verified is true where the claims
// that the value is made of are there, and the others that it reads are missing
// or null.
func (l *linter) vouchesUnasked(t mapper.TraitInfo) bool {
	return l.vouches(t, l.said(t)) || l.vouches(t, l.told(t, nil))
}

// said are claims of which there are those that a trait's value is made of.
func (l *linter) said(t mapper.TraitInfo) map[string]any {
	value := "ann"
	if t.Canonical == mapper.CanonicalEmail {
		value = "ann@acme.example"
	}
	claims := map[string]any{}
	for _, path := range ownPaths(t) {
		put(claims, path, value)
	}
	return claims
}

// told are those claims, and of the others that a trait's verified reads this.
func (l *linter) told(t mapper.TraitInfo, word any) map[string]any {
	claims := l.said(t)
	for _, r := range t.Verified.Reads() {
		if !within(r.Path, ownPaths(t)) {
			put(claims, r.Path, word)
		}
	}
	return claims
}

func (l *linter) vouches(t mapper.TraitInfo, claims map[string]any) bool {
	said, err := t.Verified.Eval(l.ctx, expr.Vars{Claims: claims})
	return err == nil && said == true
}

// ownPaths returns the claims that a trait's values read.
func ownPaths(t mapper.TraitInfo) [][]any {
	var paths [][]any
	for _, v := range t.Values {
		for _, r := range v.Reads() {
			paths = append(paths, r.Path)
		}
	}
	return paths
}

func within(path []any, of [][]any) bool {
	return slices.ContainsFunc(of, func(own []any) bool {
		return len(own) <= len(path) && slices.Equal(own, path[:len(own)])
	})
}

// put puts a value where a path of names leads. Behind an index, and where
// something else is already, it puts nothing.
func put(claims map[string]any, path []any, value any) {
	for i, step := range path {
		name, ok := step.(string)
		if !ok {
			return
		}
		at, there := claims[name]
		switch below, isMap := at.(map[string]any); {
		case i == len(path)-1 && !there:
			claims[name] = value
		case isMap:
			claims = below
		case !there:
			below = map[string]any{}
			claims[name] = below
			claims = below
		default:
			return
		}
	}
}

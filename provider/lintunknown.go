package provider

import (
	"slices"
	"strings"

	"github.com/jithook/jithook/internal/expr"
	"github.com/jithook/jithook/mapper"
)

// unknown finds what makes a list of groups that nobody knows.
func (l *linter) unknown() {
	groups, ok := l.provider.Mapping.Groups()
	if !ok {
		return
	}
	places := slices.DeleteFunc(groups.From.EmptiesUnknown(), func(e expr.Emptied) bool { return l.isSaid(groups, e) })
	for _, e := range places {
		l.found(LintUnknownEmpty, Problem(e.Problem), "where the claim is missing, nobody knows the groups; a list says that there are no others, and they are revoked")
	}
	if len(places) > 0 {
		return
	}
	if names, all := groups.From.ClaimNames(); len(names) == 0 && !all {
		return // no claim has a part in it
	}
	for _, w := range worlds(groups.From) {
		// Who has no account yet may well be given a list of the file's own.
		known := w.vars
		known.Identity = map[string]any{"traits": map[string]any{}, "groups": []any{}}
		if l.makesList(groups, w.vars) && l.makesList(groups, known) {
			l.found(LintUnknownEmpty, l.file.Groups.From.Problemf(""), "of a login %s this makes a list: nobody knows the groups then, and those that are not in it are revoked", w.name)
			return
		}
	}
}

// makesList reports whether the groups of a login are a list to be relied on.
func (l *linter) makesList(groups mapper.GroupsInfo, v expr.Vars) bool {
	list, err := groups.From.Eval(l.ctx, v)
	_, isList := list.([]any)
	return err == nil && isList && !l.unreliable(groups, v)
}

// world is a login that lacks what an expression reads.
type world struct {
	name string
	vars expr.Vars
}

// worlds returns the login without any claim, those with one of the maps that the
// expression reads, which is empty, and that with all of them.
func worlds(p *expr.Program) []world {
	all := []world{{"without any claim", with()}}
	var names []string
	maps := slices.DeleteFunc(p.Maps(), func(path []any) bool {
		return slices.ContainsFunc(path, func(step any) bool { _, isIndex := step.(int64); return isIndex })
	})
	for _, path := range maps {
		name := expr.Read{Path: path}.Upto(len(path))
		names = append(names, name)
		all = append(all, world{"whose " + name + " is empty", with(path)})
	}
	if len(names) > 1 {
		all = append(all, world{"whose " + strings.Join(names, " and ") + " are empty", with(maps...)})
	}
	return all
}

// with is a login with these claims, all of them empty maps.
func with(maps ...[]any) expr.Vars {
	claims := map[string]any{}
	for _, path := range maps {
		put(claims, path, map[string]any{})
	}
	return expr.Vars{Claims: claims}
}

// isSaid reports whether the file's own rule says that the list is not to be relied
// on where the claims of the place are missing, be the others there or not.
func (l *linter) isSaid(groups mapper.GroupsInfo, e expr.Emptied) bool {
	if groups.Unknown == nil || e.Within {
		return false
	}
	return !slices.ContainsFunc(e.Missing, func(path []any) bool {
		holder := path[:len(path)-1]
		others := with(holder)
		for _, p := range []*expr.Program{groups.From, groups.Unknown} {
			for _, r := range p.Reads() {
				if !within(r.Path, [][]any{path}) {
					put(others.Claims, r.Path, []any{"x"})
				}
			}
		}
		return !l.unreliable(groups, with(holder)) || !l.unreliable(groups, others)
	})
}

// unreliable reports whether the file's own rule takes the groups of a login for
// unknown.
func (l *linter) unreliable(groups mapper.GroupsInfo, v expr.Vars) bool {
	if groups.Unknown == nil {
		return false
	}
	unknown, err := groups.Unknown.EvalBool(l.ctx, v)
	return err == nil && unknown
}

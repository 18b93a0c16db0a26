package setup

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/jithook/jithook/kratos"
)

// List is a list of hooks that stands somewhere in a configuration.
type List struct {
	Path  []string
	Hooks []any
}

// Lists returns every list of hooks of a configuration, in the order of its
// path.
func Lists(config map[string]any) []List {
	var found []List
	flows := []string{"selfservice", "flows"}
	for _, flow := range members(At(config, flows...)) {
		for _, when := range []string{"after", "before"} {
			path := append(slices.Clone(flows), flow, when)
			for _, name := range members(At(config, path...)) {
				p := append(slices.Clone(path), name)
				if name != "hooks" {
					p = append(p, "hooks")
				}
				if hooks, ok := At(config, p...).([]any); ok {
					found = append(found, List{p, hooks})
				}
			}
		}
	}
	return found
}

// differs returns the names of the members in which a hook is not as wanted.
func (r *registrar) differs(had, want any) []string {
	had, want = significant(had), significant(want)
	h, hok := had.(map[string]any)
	w, wok := want.(map[string]any)
	if !hok || !wok {
		if reflect.DeepEqual(had, want) {
			return nil
		}
		return []string{""}
	}
	var names []string
	for _, name := range slices.Compact(slices.Sorted(slices.Values(append(members(h), members(w)...)))) {
		if text, ok := w[name].(string); ok && name == "body" && r.ours.SameContent(h[name], text) {
			continue
		}
		for _, below := range r.differs(h[name], w[name]) {
			names = append(names, strings.TrimSuffix(name+"."+below, "."))
		}
	}
	return names
}

// list plans one list: what is ours is made as wanted where it stands, if it
// stands in the right order, and comes before everybody else's otherwise, so
// that nothing is done for a person who is kept out.
func (r *registrar) list(want kratos.List) {
	hooks, there := At(r.tree, want.Path...).([]any)
	if !there {
		r.newList(want)
		return
	}
	wanted := map[string]int{}
	for i, h := range want.Hooks {
		wanted[h.Endpoint()] = i
	}
	last, ordered := -1, true
	for _, h := range hooks {
		i, ours := wanted[r.ours.Endpoint(h)]
		if !ours || r.ours.Endpoint(h) == "" {
			continue
		}
		ordered, last = ordered && i > last, i
	}
	for i := len(hooks) - 1; i >= 0; i-- {
		e := r.ours.Endpoint(hooks[i])
		if _, ok := wanted[e]; e != "" && (!ok || !ordered) {
			r.removeHook(want.Path, i, hooks[i])
		}
	}
	next := 0
	for _, h := range want.Hooks {
		next = r.place(want.Path, h, next)
	}
}

// place makes sure that a hook is in a list at next or behind it, and returns
// the index after it.
func (r *registrar) place(path []string, want kratos.Hook, next int) int {
	hooks, _ := At(r.tree, path...).([]any)
	value, _ := plain(want) // our own struct
	for i, h := range hooks {
		switch {
		case want.Config == nil && At(h, "hook") == want.Hook:
			return i + 1
		case want.Config == nil || r.ours.Endpoint(h) != want.Endpoint():
			continue
		}
		if names := r.differs(h, value); len(names) > 0 {
			r.change(Replace, element(path, i), want, fmt.Sprintf("%s: %s", describe(value), strings.Join(names, ", ")))
		}
		return i + 1
	}
	if want.Config == nil { // session: Kratos runs it last wherever it stands
		next = len(hooks)
	}
	r.change(Add, element(path, next), want, describe(value))
	return next + 1
}

// newList adds a list. Kratos then no longer runs the flow's global one for this
// method, so its hooks come along: but for those that never ran, because at
// registration and settings Kratos runs no global hook that parses replies.
func (r *registrar) newList(want kratos.List) {
	value := []any{}
	note := ""
	for _, h := range want.Hooks {
		value = append(value, h)
		v, _ := plain(h) // our own struct
		note += ", " + describe(v)
	}
	global, _ := At(r.tree, append(slices.Clone(want.Path[:4]), "hooks")...).([]any)
	for _, h := range global {
		never := want.Path[2] != "login" && At(h, "config", "response", "parse") == true
		if never || r.ours.Endpoint(h) != "" || At(h, "hook") == "session" {
			continue
		}
		value = append(value, h)
		note += ", " + describe(h) + " as in " + dotted(want.Path[:4])
	}
	r.change(Add, want.Path, value, strings.TrimPrefix(note, ", "))
}

// strays plans the end of our hooks in lists where none is wanted.
func (r *registrar) strays(wanted []kratos.List) {
	for _, l := range Lists(r.tree) {
		if slices.ContainsFunc(wanted, func(w kratos.List) bool { return slices.Equal(w.Path, l.Path) }) {
			continue
		}
		left := len(l.Hooks)
		for i := left - 1; i >= 0; i-- {
			if r.ours.Endpoint(l.Hooks[i]) != "" {
				r.removeHook(l.Path, i, l.Hooks[i])
				left--
			}
		}
		above := l.Path[:len(l.Path)-1]
		if left == 0 && len(l.Hooks) > 0 && len(members(At(r.tree, above...))) == 1 {
			r.change(Remove, above, nil, "nothing is left in it")
		}
	}
}

func (r *registrar) removeHook(path []string, i int, hook any) {
	r.change(Remove, element(path, i), nil, describe(hook))
}

func element(path []string, i int) []string { return append(slices.Clone(path), strconv.Itoa(i)) }

// describe names a hook. Of its configuration only a URL without credentials and
// query is shown.
func describe(hook any) string {
	name, _ := At(hook, "hook").(string)
	url, _ := At(hook, "config", "url").(string)
	if url, _, _ = strings.Cut(url, "?"); url == "" || strings.Contains(url, "@") {
		return name
	}
	return name + " " + url
}

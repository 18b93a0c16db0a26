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
	hooks, _ := At(r.tree, want.Path...).([]any)
	if len(hooks) == 0 { // Kratos takes an empty list for none
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
	for i, h := range hooks {
		switch {
		case want.Config == nil && At(h, "hook") == want.Hook:
			return i + 1
		case want.Config == nil || r.ours.Endpoint(h) != want.Endpoint():
			continue
		}
		value := keeping(h, want)
		if names := r.differs(h, value); len(names) > 0 {
			r.change(Replace, element(path, i), value, fmt.Sprintf("%s: %s", describe(value), strings.Join(names, ", ")))
		}
		return i + 1
	}
	value, _ := plain(want) // our own struct
	if want.Config == nil { // session: Kratos runs it last wherever it stands
		next = len(hooks)
	}
	r.change(Add, element(path, next), want, describe(value))
	return next + 1
}

// keeping is what a hook of ours has to be, with what it has that changes neither
// what is asked nor what is answered: an operator's, or Ory Network's own.
func keeping(had any, want kratos.Hook) any {
	value, _ := plain(want) // our own struct
	config, _ := At(value, "config").(map[string]any)
	for _, name := range []string{"id", "emit_analytics_event"} {
		if set := At(had, "config", name); set != nil {
			config[name] = set
		}
	}
	return value
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
	for _, h := range r.inherited(want.Path) {
		value = append(value, h)
		note += ", " + describe(h) + " as in " + dotted(want.Path[:4])
	}
	r.change(Add, want.Path, value, strings.TrimPrefix(note, ", "))
}

// inherited are the hooks of the flow's global list that Kratos would run for a
// method without a list of its own.
func (r *registrar) inherited(path []string) []any {
	var hooks []any
	global, _ := At(r.tree, append(slices.Clone(path[:4]), "hooks")...).([]any)
	for _, h := range global {
		never := path[2] != "login" && (At(h, "config", "response", "parse") == true || At(h, "config", "can_interrupt") == true)
		if !never && r.ours.Endpoint(h) == "" && At(h, "hook") != "session" {
			hooks = append(hooks, h)
		}
	}
	return hooks
}

// strays plans the end of our hooks in lists where none is wanted.
func (r *registrar) strays(wanted []kratos.List) {
	for _, l := range Lists(r.tree) {
		if slices.ContainsFunc(wanted, func(w kratos.List) bool { return slices.Equal(w.Path, l.Path) }) {
			continue
		}
		all := len(l.Hooks)
		for i := all - 1; i >= 0; i-- {
			if r.ours.Endpoint(l.Hooks[i]) != "" {
				r.removeHook(l.Path, i, l.Hooks[i])
			}
		}
		left, _ := At(r.tree, l.Path...).([]any)
		switch {
		case len(left) == all:
		case len(left) == 0:
			r.prune(l.Path, "nothing is left in it")
		case r.copied(l.Path, left):
			r.prune(l.Path, "it says what "+dotted(l.Path[:4])+" says, which counts again")
		}
	}
}

// copied reports whether what is left of a method's list is what newList took
// along of the global one. It would stand in its place for ever.
func (r *registrar) copied(path []string, left []any) bool {
	if len(path) != 6 { // no list of a method
		return false
	}
	isSession := func(h any) bool { return At(h, "hook") == "session" }
	global, _ := At(r.tree, append(slices.Clone(path[:4]), "hooks")...).([]any)
	if slices.IndexFunc(left, isSession) > 0 && !slices.ContainsFunc(global, isSession) {
		return false // newList puts it first: this one is theirs, and nothing else signs people in
	}
	taken := r.inherited(path)
	return len(taken) > 0 && reflect.DeepEqual(slices.DeleteFunc(slices.Clone(left), isSession), taken)
}

// prune takes a list out, and what is above it as far as it holds nothing else.
func (r *registrar) prune(path []string, note string) {
	for len(path) > 2 && len(members(At(r.tree, path[:len(path)-1]...))) == 1 {
		path = path[:len(path)-1]
	}
	r.change(Remove, path, nil, note)
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

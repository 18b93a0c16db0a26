// Package setup puts what jithook needs into a configuration that a Kratos has
// already, and takes it out again: which hooks are ours, what has to change, and
// the change in the operator's own file with its comments.
//
// It owns the difference between two configurations of Kratos and the editing of
// YAML. It must not know where a configuration comes from or goes to, nor what
// jithook's hooks and mappers say: package kratos renders those.
package setup

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/jithook/jithook/kratos"
)

// Ops of a change, as in JSON Patch (RFC 6902).
const (
	Add     = "add"
	Replace = "replace"
	Remove  = "remove"
)

// Change is one change of a configuration, as a JSON Patch has it. The value may
// be a secret or hold one; the note never does.
type Change struct {
	Op    string
	Path  []string
	Value any
	// Note says in words what changes.
	Note string
}

// Plan is what has to change, in the order in which it is to be applied, and
// what nobody but the operator can do.
type Plan struct {
	Changes []Change
	Notes   []string
}

// Fetch returns what a URL of the configuration stands for: file://… or, at Ory
// Network, https://…. An error says that nobody can tell, so that it is replaced.
type Fetch func(url string) ([]byte, error)

// Register plans how live comes to hold what doc says. hookURL is that of the
// document's hooks. Hooks of other people stay, in their order: where a list is
// new, those of the flow's global list, which it replaces, come after ours. A
// configuration that holds everything already needs no change.
func Register(live map[string]any, doc kratos.Document, hookURL string, fetch Fetch) (Plan, error) {
	r, err := newRegistrar(live, hookURL, fetch)
	if err != nil {
		return Plan{}, err
	}
	for _, p := range doc.SelfService.Methods.OIDC.Config.Providers {
		r.mapper(p)
	}
	lists := Wanted(r.tree, doc)
	for _, l := range lists {
		r.list(l)
	}
	r.strays(lists)
	return r.result()
}

// Unregister plans how our hooks leave live. A mapper cannot be left out, so
// that of a provider becomes the one in mappers (by the provider's id) and stays,
// with a note, where that has none.
func Unregister(live map[string]any, hookURL string, mappers map[string]string, fetch Fetch) (Plan, error) {
	r, err := newRegistrar(live, hookURL, fetch)
	if err != nil {
		return Plan{}, err
	}
	r.strays(nil)
	r.unmap(mappers)
	return r.result()
}

// registrar is a plan in the making, and the configuration as far as it goes.
type registrar struct {
	tree map[string]any
	ours Ours
	plan Plan
	errs []error
}

func newRegistrar(live map[string]any, hookURL string, fetch Fetch) (*registrar, error) {
	tree, err := plain(live)
	if err != nil {
		return nil, err
	}
	root, ok := tree.(map[string]any)
	if !ok {
		return nil, errors.New("a configuration of Kratos is a mapping")
	}
	return &registrar{tree: root, ours: Ours{HookURL: hookURL, Fetch: fetch}}, nil
}

func (r *registrar) result() (Plan, error) {
	if err := errors.Join(r.errs...); err != nil {
		return Plan{}, err
	}
	return r.plan, nil
}

// change notes a change and makes it. What stands above a new value is made
// with it.
func (r *registrar) change(op string, path []string, value any, note string) {
	if op == Add {
		path, value = r.parents(path, value)
	}
	c := Change{Op: op, Path: path, Value: value, Note: note}
	next, err := apply(r.tree, c)
	if err != nil {
		r.errs = append(r.errs, err)
		return
	}
	r.tree = next
	r.plan.Changes = append(r.plan.Changes, c)
}

// parents returns the place and the value of the highest thing that is not
// there yet.
func (r *registrar) parents(path []string, value any) ([]string, any) {
	for n := 1; n < len(path); n++ {
		if At(r.tree, path[:n]...) != nil {
			continue
		}
		for above := len(path) - 1; above >= n; above-- {
			value = map[string]any{path[above]: value}
		}
		return path[:n], value
	}
	return path, value
}

// Providers is where Kratos's providers are.
func Providers() []string { return []string{"selfservice", "methods", "oidc", "config", "providers"} }

func (r *registrar) mapper(want kratos.ProviderEntry) {
	list, _ := At(r.tree, Providers()...).([]any)
	found := false
	for i, p := range list {
		entry, _ := p.(map[string]any)
		if entry["id"] != want.ID {
			continue
		}
		found = true
		path := append(Providers(), strconv.Itoa(i), "mapper_url")
		switch had := entry["mapper_url"]; {
		case had == nil:
			r.change(Add, path, want.MapperURL, fmt.Sprintf("the claims mapper of provider %q", want.ID))
		case !r.ours.SameContent(had, want.MapperURL):
			r.change(Replace, path, want.MapperURL, fmt.Sprintf("the claims mapper of provider %q", want.ID))
		}
	}
	if !found {
		r.plan.Notes = append(r.plan.Notes, fmt.Sprintf("Kratos has no provider %q: add it to %s, with its client, and run this again", want.ID, dotted(Providers())))
	}
}

func (r *registrar) unmap(mappers map[string]string) {
	list, _ := At(r.tree, Providers()...).([]any)
	for i, p := range list {
		entry, _ := p.(map[string]any)
		id, _ := entry["id"].(string)
		if !r.ours.Mapper(entry["mapper_url"]) {
			continue
		}
		if other, ok := mappers[id]; ok {
			r.change(Replace, append(Providers(), strconv.Itoa(i), "mapper_url"), other, fmt.Sprintf("the claims mapper of provider %q", id))
			continue
		}
		r.plan.Notes = append(r.plan.Notes, fmt.Sprintf(
			"the mapper of provider %q stays, since Kratos needs one: --mapper %s=URL puts another in its place; until then Kratos keeps the claims in metadata_public", id, id))
	}
}

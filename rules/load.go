package rules

import (
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/internal/strictyaml"
	"github.com/jithook/jithook/provider"
)

// Problem is something wrong with a file of cases, at file:line:col.
type Problem = strictyaml.Problem

// Load reads the files with cases in the root of fsys: those that
// provider.IsCases names. It returns them in the order of their names, or all
// problems of all of them.
func Load(fsys fs.FS) ([]*File, []Problem) {
	entries, err := fs.ReadDir(fsys, ".")
	if err != nil {
		return nil, []Problem{{File: ".", Message: "the folder cannot be read"}}
	}
	var files []*File
	var problems []Problem
	for _, e := range entries {
		if e.IsDir() || !provider.IsCases(e.Name()) {
			continue
		}
		data, err := fs.ReadFile(fsys, e.Name())
		if err != nil {
			problems = append(problems, Problem{File: e.Name(), Line: 1, Col: 1, Message: "the file cannot be read"})
			continue
		}
		f, found := parse(path.Base(e.Name()), data)
		files, problems = append(files, f), append(problems, found...)
	}
	if len(problems) > 0 {
		return nil, problems
	}
	return files, nil
}

func parse(name string, data []byte) (*File, []Problem) {
	var form fileForm
	problems := strictyaml.Decode(name, data, &form)
	if form.Version.Value != "1" && form.Version.Value != "" {
		problems = append(problems, form.Version.Problemf("version %q is not known; there is 1", form.Version.Value))
	}
	f := &File{Name: name, Provider: form.Provider}
	seen := map[string]bool{}
	for _, c := range form.Cases {
		if seen[c.Name.Value] && c.Name.Line != 0 {
			problems = append(problems, c.Name.Problemf("another case has this name"))
		}
		seen[c.Name.Value] = true
		one, found := c.built(form.Claims)
		one.File = f
		f.Cases, problems = append(f.Cases, one), append(problems, found...)
	}
	return f, problems
}

func (form caseForm) built(base object) (*Case, []Problem) {
	c := &Case{Name: form.Name, Claims: over(base, form.Claims)}
	if form.Todo != nil {
		c.Todo = form.Todo.Value
	}
	for _, name := range form.Without {
		delete(c.Claims, name.Value)
	}
	var problems []Problem
	c.Want, problems = form.Want.built()
	if p := form.Identity; p != nil {
		problems = append(problems, p.writers()...)
		c.Identity = &Person{Traits: p.Traits, Groups: texts(p.Groups), Written: named(p.Written), Granted: named(p.Granted), State: identity.StateActive}
		if p.State != nil {
			c.Identity.State = identity.State(p.State.Value)
			states := []identity.State{identity.StatePending, identity.StateActive, identity.StateSuspended, identity.StateDeprovisioned}
			if !slices.Contains(states, c.Identity.State) {
				problems = append(problems, p.State.Problemf("%q is none of %q", p.State.Value, states))
			}
		}
	}
	return c, problems
}

// writers are problems of who wrote and granted what: of nobody, and nothing
// that the person has.
func (form personForm) writers() (problems []Problem) {
	person := identity.Identity{Traits: form.Traits}
	for _, e := range form.Written {
		path, below := strings.CutPrefix(e.Key.Value, "/traits/")
		if _, has := person.Trait("/" + path); !below || !has {
			problems = append(problems, e.Key.Problemf("the person has no such trait: write /traits/NAME of one of its traits"))
		}
	}
	for _, e := range slices.Concat(form.Written, form.Granted) {
		name, isProvider := strings.CutPrefix(e.Value.Value, identity.ProviderSource(""))
		others := []string{identity.SourceAdmin, identity.SourceUser, identity.SourceImport}
		if isProvider && name == "" || !isProvider && !slices.Contains(others, e.Value.Value) {
			problems = append(problems, e.Value.Problemf("%q is nobody who writes: there are admin, user, import and provider:ID", e.Value.Value))
		}
	}
	return problems
}

// decisions are what a case's login can become.
var decisions = []identity.Decision{
	identity.Created, identity.Linked, identity.Updated, identity.Unchanged, identity.Activated, identity.Denied, identity.Prompt, identity.Error,
}

func (form wantForm) built() (Want, []Problem) {
	w := Want{Decision: text(form.Decision), Code: text(form.Code), Path: text(form.Path), Rule: text(form.Rule), Traits: form.Traits}
	if form.Groups != nil {
		groups := texts(*form.Groups)
		slices.Sort(groups)
		w.Groups = &groups
	}
	if form.Verified != nil {
		names := texts(*form.Verified)
		slices.Sort(names)
		w.Verified = &names
	}
	var problems []Problem
	if form.Code != nil {
		if _, ok := identity.Code(w.Code).Info(); !ok {
			problems = append(problems, form.Code.Problemf("there is no reason code %q; the README lists them, and a deny rule's own is asked for with rule: %[1]s", w.Code))
		}
	}
	if form.Decision != nil && !slices.Contains(decisions, identity.Decision(w.Decision)) {
		problems = append(problems, form.Decision.Problemf("%q is none of %q", w.Decision, decisions))
	}
	if form.Line != 0 && w.Decision == "" && w.Code == "" && w.Path == "" && w.Rule == "" && !w.ofPerson() {
		problems = append(problems, form.Problemf("want asks for nothing: it has decision, code, path, rule, traits, groups and verified"))
	}
	if refused := w.Decision == string(identity.Denied) || w.Decision == string(identity.Prompt); refused && w.ofPerson() {
		problems = append(problems, form.Problemf("a login that is refused leaves no traits, no groups and nothing verified to look at"))
	}
	return w, problems
}

// over puts one object over another: mappings are merged, all else is replaced.
func over(base, top map[string]any) map[string]any {
	out := map[string]any{}
	maps.Copy(out, base)
	for name, v := range top {
		below, ok := out[name].(map[string]any)
		if m, isMap := v.(map[string]any); ok && isMap {
			v = over(below, m)
		}
		out[name] = v
	}
	return out
}

func text(t *strictyaml.Text) string {
	if t == nil {
		return ""
	}
	return t.Value
}

func texts(list []strictyaml.Text) []string {
	out := make([]string, len(list))
	for n, t := range list {
		out[n] = t.Value
	}
	return out
}

func named(m strictyaml.Map[strictyaml.Text]) map[string]string {
	out := map[string]string{}
	for _, e := range m {
		out[e.Key.Value] = e.Value.Value
	}
	return out
}

// Pos is the case's place as file:line:col.
func (c *Case) Pos() string { return fmt.Sprintf("%s:%d:%d", c.Name.File, c.Name.Line, c.Name.Col) }

// Find returns the cases whose "provider/name" holds the text, letters as they
// are.
func Find(files []*File, part string) []*Case {
	var found []*Case
	for _, f := range files {
		for _, c := range f.Cases {
			if strings.Contains(f.Provider.Value+"/"+c.Name.Value, part) {
				found = append(found, c)
			}
		}
	}
	return found
}

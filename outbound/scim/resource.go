package scim

import (
	"slices"
	"strings"
)

// resource is a user or a group in its JSON. Names of attributes are compared
// without regard to case (RFC 7643, section 2.1).
type resource map[string]any

func (r resource) key(name string) (string, bool) {
	if _, ok := r[name]; ok {
		return name, true
	}
	for k := range r {
		if strings.EqualFold(k, name) {
			return k, true
		}
	}
	return name, false
}

func (r resource) value(name string) any {
	k, _ := r.key(name)
	return r[k]
}

func (r resource) text(name string) string {
	s, _ := r.value(name).(string)
	return s
}

func (r resource) id() string { return r.text("id") }

// version is the entity tag, empty if the target gives none.
func (r resource) version() string {
	meta, _ := r.value("meta").(map[string]any)
	return resource(meta).text("version")
}

// at returns the value of an attribute, nil if there is none.
func (r resource) at(a Attribute) any {
	in := r
	if a.Enterprise {
		extension, _ := r.value(schemaEnterprise).(map[string]any)
		in = extension
	}
	name, sub, nested := strings.Cut(a.Name, ".")
	if !nested {
		return in.value(name)
	}
	part, _ := in.value(name).(map[string]any)
	return resource(part).value(sub)
}

func (r resource) set(name string, v any) {
	k, _ := r.key(name)
	r[k] = v
}

func (r resource) unset(name string) {
	k, _ := r.key(name)
	delete(r, k)
}

// inner returns the complex attribute of that name, which it makes if there is
// none.
func (r resource) inner(name string) resource {
	m, ok := r.value(name).(map[string]any)
	if !ok {
		m = map[string]any{}
		r.set(name, m)
	}
	return m
}

// references returns the ids that a list of references has: members of a group,
// groups of a user.
func (r resource) references(name string) []string {
	var ids []string
	list, _ := r.value(name).([]any)
	for _, item := range list {
		m, _ := item.(map[string]any)
		if id := resource(m).text("value"); id != "" {
			ids = append(ids, id)
		}
	}
	return ids
}

// empty reports whether a value is none (RFC 7643, section 2.5).
func empty(v any) bool {
	list, isList := v.([]any)
	m, isMap := v.(map[string]any)
	return v == nil || isList && len(list) == 0 || isMap && len(m) == 0
}

// same reports whether the target has what is wanted, and whatever it may have
// added: to a part of a value, not to a list of values.
func same(want, has any) bool {
	switch want := want.(type) {
	case nil:
		return empty(has)
	case bool: // some write "True"
		text, isText := has.(string)
		return has == want || isText && strings.EqualFold(text, map[bool]string{true: "true", false: "false"}[want])
	case int64:
		return has == float64(want)
	case map[string]any:
		m, ok := has.(map[string]any)
		for k, v := range want {
			ok = ok && same(v, resource(m).value(k))
		}
		return ok
	case []any:
		list, ok := has.([]any)
		return (ok || has == nil) && len(list) == len(want) && !slices.ContainsFunc(want, func(w any) bool {
			return !slices.ContainsFunc(list, func(h any) bool { return same(w, h) })
		})
	default:
		return want == has
	}
}

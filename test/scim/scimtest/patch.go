package scimtest

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
)

const enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"

var oneMember = regexp.MustCompile(`^members\[value eq ("[^"]*")\]$`)

// patch applies a PatchOp to d; what is wrong with it is a scimType.
func (s *Target) patch(d, sent Doc) (kind string) {
	ops, ok := sent["Operations"].([]any)
	if !ok || len(ops) == 0 {
		return "invalidSyntax"
	}
	for _, o := range ops {
		op := o.(Doc)
		name, _ := op["op"].(string)
		path, _ := op["path"].(string)
		if capital := name != "" && name != strings.ToLower(name); capital != s.Quirks.Microsoft {
			return "invalidSyntax"
		}
		if s.Quirks.Microsoft && name == "Replace" && path != "" {
			return "invalidPath"
		}
		if kind := apply(d, strings.ToLower(name), path, op["value"]); kind != "" {
			return kind
		}
	}
	return ""
}

func apply(d Doc, op, path string, value any) (kind string) {
	if one := oneMember.FindStringSubmatch(path); one != nil && op == "remove" {
		var id string
		_ = json.Unmarshal([]byte(one[1]), &id)
		return removeMembers(d, []any{Doc{"value": id}})
	}
	if path == "" {
		set, ok := value.(Doc)
		if !ok {
			return "invalidValue"
		}
		merge(d, set)
		return ""
	}
	if path == "members" {
		list, ok := value.([]any)
		switch {
		case !ok:
			return "invalidValue"
		case op == "remove":
			return removeMembers(d, list)
		}
		addMembers(d, list)
		return ""
	}
	in := d
	if rest, ok := strings.CutPrefix(path, enterprise+":"); ok {
		in, path = inner(d, enterprise), rest
	}
	if first, sub, nested := strings.Cut(path, "."); nested {
		in, path = inner(in, first), sub
	}
	switch {
	case op == "remove" && in[path] == nil:
		return "noTarget"
	case op == "remove":
		delete(in, path)
	case value == nil:
		return "invalidValue"
	default:
		in[path] = value
	}
	return ""
}

func inner(d Doc, name string) Doc {
	m, ok := d[name].(Doc)
	if !ok {
		m = Doc{}
		d[name] = m
	}
	return m
}

func merge(d, set Doc) {
	for k, v := range set {
		if m, ok := v.(Doc); ok {
			merge(inner(d, k), m)
			continue
		}
		d[k] = v
	}
}

func addMembers(d Doc, list []any) {
	has, _ := d["members"].([]any)
	for _, m := range list {
		if !slices.ContainsFunc(has, func(h any) bool { return maps.Equal(h.(Doc), m.(Doc)) }) {
			has = append(has, m)
		}
	}
	d["members"] = has
}

func removeMembers(d Doc, list []any) (kind string) {
	has, _ := d["members"].([]any)
	left := slices.DeleteFunc(slices.Clone(has), func(h any) bool {
		return slices.ContainsFunc(list, func(m any) bool { return m.(Doc)["value"] == h.(Doc)["value"] })
	})
	if len(left) == len(has) {
		return "noTarget"
	}
	d["members"] = left
	return ""
}

func clone[T any](v T) (out T) {
	data, _ := json.Marshal(v)
	_ = json.Unmarshal(data, &out)
	return out
}

// Put adds a resource as the target's people do, and returns its id.
func (s *Target) Put(endpoint string, d Doc) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.insert(endpoint, d)
}

// Rename changes an attribute of a resource as the target's people do.
func (s *Target) Rename(endpoint, id, attribute, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.docs[endpoint][id][attribute] = value
}

// Refuse changes what no document may have in it.
func (s *Target) Refuse(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Refuses = text
}

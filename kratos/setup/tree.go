package setup

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// plain is a value as JSON has it, in fresh maps and lists.
func plain(v any) (any, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, errors.New("a configuration of Kratos has members with names, and values that JSON knows")
	}
	var out any
	if err := json.Unmarshal(data, &out); err != nil {
		return nil, errors.New("a configuration of Kratos has members with names, and values that JSON knows")
	}
	return out, nil
}

// At follows a path; nil where it leads nowhere.
func At(node any, path ...string) any {
	for _, name := range path {
		switch n := node.(type) {
		case map[string]any:
			node = n[name]
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil || i < 0 || i >= len(n) {
				return nil
			}
			node = n[i]
		default:
			return nil
		}
	}
	return node
}

// Merge returns a configuration with another one over it, as Kratos v1.3.1 loads
// several files: mappings become one, and of anything else the later one counts.
func Merge(base, over map[string]any) map[string]any {
	out := maps.Clone(base)
	for name, value := range over {
		below, ok := value.(map[string]any)
		if had, too := out[name].(map[string]any); ok && too {
			value = Merge(had, below)
		}
		out[name] = value
	}
	return out
}

// apply makes a change in a tree, which it uses up.
func apply(tree map[string]any, c Change) (map[string]any, error) {
	value, err := plain(c.Value)
	if err != nil {
		return nil, err
	}
	next, err := put(tree, c.Path, c.Op, value)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dotted(c.Path), err)
	}
	return next.(map[string]any), nil
}

func put(node any, path []string, op string, value any) (any, error) {
	name, last := path[0], len(path) == 1
	switch n := node.(type) {
	case map[string]any:
		switch {
		case last && op == Remove:
			delete(n, name)
		case last:
			n[name] = value
		default:
			below, err := put(n[name], path[1:], op, value)
			if err != nil {
				return nil, err
			}
			n[name] = below
		}
		return n, nil
	case []any:
		i, err := strconv.Atoi(name)
		switch {
		case err != nil || i < 0 || i > len(n) || i == len(n) && !(last && op == Add):
			return nil, errors.New("the list has no such element")
		case last && op == Remove:
			return slices.Delete(n, i, i+1), nil
		case last && op == Add:
			return slices.Insert(n, i, value), nil
		case last:
			n[i] = value
			return n, nil
		}
		if n[i], err = put(n[i], path[1:], op, value); err != nil {
			return nil, err
		}
		return n, nil
	}
	return nil, errors.New("the configuration has neither a mapping nor a list above it")
}

// significant is a value without what means the same as nothing: Ory Network
// writes down every default.
func significant(v any) any {
	m, ok := v.(map[string]any)
	if !ok {
		return v
	}
	out := map[string]any{}
	for name, value := range m {
		value = significant(value)
		if below, ok := value.(map[string]any); value == nil || value == false || value == "" || ok && len(below) == 0 {
			continue
		}
		out[name] = value
	}
	return out
}

// dotted is a path as people write it.
func dotted(path []string) string { return strings.Join(path, ".") }

// members are the names of a mapping, sorted.
func members(v any) []string {
	m, _ := v.(map[string]any)
	return slices.Sorted(maps.Keys(m))
}

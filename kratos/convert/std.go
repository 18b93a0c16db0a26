package convert

import (
	"strconv"
	"strings"

	"github.com/google/go-jsonnet/ast"
)

// methods are functions of Jsonnet's standard library that are methods in CEL:
// of their first argument, with the others. All refuse what is no string.
var methods = map[string]struct {
	name string
	args int
	gets kind
}{
	"asciiLower": {"lowerAscii", 0, text},
	"asciiUpper": {"upperAscii", 0, text},
	"startsWith": {"startsWith", 1, boolean},
	"endsWith":   {"endsWith", 1, boolean},
	"split":      {"split", 1, list},
	"strReplace": {"replace", 2, text},
}

// types are the questions for a type.
var types = map[string]string{"isString": "string", "isBoolean": "bool", "isArray": "list", "isObject": "map"}

// apply converts a call of the standard library.
func (c *converter) apply(n *ast.Apply, s *scope) (term, error) {
	name, ok := standard(n.Target, s)
	args := n.Arguments.Positional
	if !ok || len(n.Arguments.Named) > 0 {
		return term{}, c.refuse(n, "this call cannot be converted")
	}
	switch {
	case name == "get" && (len(args) == 2 || len(args) == 3):
		return c.get(n, s)
	case (name == "objectHas" || name == "objectHasAll") && len(args) == 2:
		return c.in(n, thunk{args[0].Expr, s}, thunk{args[1].Expr, s})
	case (name == "map" || name == "filter") && len(args) == 2:
		return c.mapped(n, name, s)
	}
	nodes := make([]ast.Node, len(args))
	for i, a := range args {
		nodes[i] = a.Expr
	}
	terms, err := c.all(s, nodes...)
	if err != nil {
		return term{}, err
	}
	if m, ok := methods[name]; ok && len(terms) == m.args+1 {
		return c.method(n, m.name, m.gets, terms)
	}
	if of, ok := types[name]; ok && len(terms) == 1 {
		return raw("type("+terms[0].text+") == "+of, bindsRelation, boolean, terms...), nil
	}
	switch {
	case name == "join" && len(terms) == 2:
		return c.join(n, terms[0], terms[1])
	case name == "length" && len(terms) == 1:
		return raw("size("+terms[0].text+")", bindsMember, number, terms...), nil
	case (name == "member" || name == "contains") && len(terms) == 2:
		terms[0] = listed(terms[0])
		return raw(terms[1].in(bindsSum)+" in "+terms[0].in(bindsSum), bindsRelation, boolean, terms...), nil
	case name == "toString" && len(terms) == 1 && terms[0].kind == text:
		return terms[0], nil
	}
	return term{}, c.refuse(n, "std.%s cannot be converted", name)
}

func (c *converter) method(n ast.Node, name string, gets kind, terms []term) (term, error) {
	if terms[0].kind != text && terms[0].kind != anything {
		return term{}, c.refuse(n, "this is not known to be a string")
	}
	var args []string
	for _, t := range terms[1:] {
		if !t.constant || t.words == "" && len(args) == 0 && gets != boolean {
			return term{}, c.refuse(n, "beside the first argument, strings must be written here")
		}
		args = append(args, t.text)
	}
	t := raw(terms[0].in(bindsMember)+"."+name+"("+strings.Join(args, ", ")+")", bindsMember, gets, terms...)
	t.texts = gets == list
	return t, nil
}

// join leaves out what is null, as Jsonnet does.
func (c *converter) join(n ast.Node, separator, of term) (term, error) {
	if !separator.constant {
		return term{}, c.refuse(n, "the separator must be written here")
	}
	out := of.in(bindsMember)
	if of.holdsNull {
		out += ".filter(v, v != null)"
	}
	return raw(out+".join("+separator.text+")", bindsMember, text, of), nil
}

// get converts std.get(object, key, default).
func (c *converter) get(n *ast.Apply, s *scope) (term, error) {
	args := n.Arguments.Positional
	of, key := thunk{args[0].Expr, s}, thunk{args[1].Expr, s}
	otherwise := null
	if len(args) == 3 {
		var err error
		if otherwise, err = c.express(thunk{args[2].Expr, s}); err != nil {
			return term{}, err
		}
	}
	there, err := c.in(n, of, key)
	if err != nil {
		return term{}, err
	}
	at, isClaim, err := c.claim(of)
	if err != nil {
		return term{}, err
	}
	var value term
	if name, ok := c.constant(key); isClaim && ok {
		if at, err = c.below(n, at, name); err == nil {
			value, err = c.read(n, at)
		}
		value.fails = nil // it is read where it is there
	} else {
		value, err = c.element(n, of, key)
		value.fails = nil
	}
	if err != nil {
		return term{}, err
	}
	return conditional(there, value, otherwise), nil
}

// index is a[i] of what is no plain claim.
func (c *converter) index(n *ast.Index, s *scope) (term, error) {
	if n.Id == nil {
		return c.element(n, thunk{n.Target, s}, thunk{n.Index, s})
	}
	of, err := c.express(thunk{n.Target, s})
	if err != nil {
		return term{}, err
	}
	if !plain(string(*n.Id)) {
		return term{}, c.refuse(n, "this name cannot be converted")
	}
	t := raw(of.in(bindsMember)+"."+string(*n.Id), bindsMember, anything, of)
	t.null = true
	return t, nil
}

func (c *converter) element(n ast.Node, of, key thunk) (term, error) {
	terms := make([]term, 2)
	for i, t := range []thunk{of, key} {
		var err error
		if terms[i], err = c.express(t); err != nil {
			return term{}, err
		}
	}
	if i, err := strconv.Atoi(terms[1].text); terms[1].kind == number && (err != nil || i < 0) {
		return term{}, c.refuse(n, "this index cannot be converted")
	}
	t := raw(terms[0].in(bindsMember)+"["+terms[1].text+"]", bindsMember, anything, terms...)
	t.null = true
	if of := terms[0]; of.kind == list && of.texts {
		t.kind, t.null = text, false
	}
	return t, nil
}

package convert

import (
	"regexp"
	"slices"
	"strings"

	"github.com/google/go-jsonnet/ast"

	"github.com/jithook/jithook/internal/expr"
	"github.com/jithook/jithook/mapper"
)

// traits converts the members of an object of traits; prefix is its name and a
// slash, "" for the traits themselves.
func (c *converter) traits(prefix string, v guardedThunk, at ast.Node) {
	o, err := c.object(v.thunk)
	if err != nil {
		c.leave(err)
		return
	}
	c.deny(at, guarded(v.guard, o.fails))
	firm := prefix == ""
	for _, f := range o.fields {
		for i := range f.values {
			f.values[i].guard = conditional(v.guard, f.values[i].guard, no)
		}
		name := prefix + f.name
		if len(f.values) == 1 && c.isObject(f.values[0].thunk) {
			c.traits(name+"/", f.values[0], f.node)
			firm = true // it says by itself whether it may be empty
			continue
		}
		t, err := c.trait(name, f)
		c.leave(err)
		firm = firm || err == nil && !t.null
	}
	if !firm {
		c.note(at, "without a value for any of its members, the mapper makes %s an empty object, and the rules leave it out", strings.TrimSuffix(prefix, "/"))
	}
}

// trait converts one trait and returns its value.
func (c *converter) trait(name string, f field) (term, error) {
	value := null
	for _, v := range slices.Backward(f.values) {
		if c.isObject(v.thunk) {
			return value, c.refuse(v.node, "%s: an object that another one may replace cannot be converted", name)
		}
		t, err := c.express(v.thunk)
		if err != nil {
			return value, err
		}
		value = conditional(v.guard, t, value)
	}
	if value.kind == nothing && len(value.fails) == 0 {
		return value, nil // never there
	}
	if why := c.clash(name); why != "" {
		return value, c.refuse(f.node, "%s: %s", name, why)
	}
	t := Trait{Name: name, Values: choices(value), inner: value.text}
	if value.choice != nil && value.choice.otherwise.text == null.text {
		t.inner = value.choice.then.text
	}
	for _, text := range t.Values {
		if err := c.compiles(f.node, text); err != nil {
			return value, err
		}
	}
	// A claim that must be there is one that the value misses; where having no
	// value may also be right, only a rule tells these apart.
	var denied []fail
	for _, fail := range value.fails {
		if value.null || !fail.natural {
			denied = append(denied, fail)
			continue
		}
		t.Reject = true
	}
	c.deny(f.node, denied)
	c.rules.Traits = append(c.rules.Traits, t)
	return value, nil
}

// nameOfTrait is what a provider's file takes for one.
var nameOfTrait = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]{0,63}$`)

// clash says why there can be no trait of this name, if so.
func (c *converter) clash(name string) string {
	if !mapper.CheckName(name) || slices.ContainsFunc(strings.Split(name, "/"), func(n string) bool { return !nameOfTrait.MatchString(n) }) {
		return "no trait can have this name"
	}
	for _, t := range c.rules.Traits {
		if t.Name == name || strings.HasPrefix(t.Name, name+"/") || strings.HasPrefix(name, t.Name+"/") {
			return "it stands twice"
		}
	}
	return ""
}

func (c *converter) compiles(n ast.Node, text string) error {
	if _, err := c.env.Compile(expr.Source{Text: text, File: c.file, Line: 1, Col: 1}); err != nil {
		return c.refuse(n, "this cannot be said in one expression")
	}
	return nil
}

// choices returns the expressions of which the first that has a value is the
// trait's: a claim that is only read where it is there may stand by itself.
func choices(t term) []string {
	if t.choice == nil || t.choice.then.presence == "" || t.choice.cond.text != t.choice.then.presence {
		return []string{t.text}
	}
	first := []string{t.choice.then.text}
	if t.choice.otherwise.text == null.text {
		return first
	}
	return append(first, choices(t.choice.otherwise)...)
}

// verified converts the addresses that the mapper has verified: the traits of
// the same value are, under the same condition.
func (c *converter) verified(f field) {
	for _, v := range f.values {
		c.leave(c.addresses(v.thunk))
	}
}

func (c *converter) addresses(t thunk) error {
	t, err := c.resolve(t)
	if err != nil {
		return err
	}
	if n, ok := t.node.(*ast.Apply); ok {
		if name, _ := standard(n.Target, t.scope); name == "prune" && len(n.Arguments.Positional) == 1 {
			return c.addresses(thunk{n.Arguments.Positional[0].Expr, t.scope})
		}
	}
	switch n := t.node.(type) {
	case *ast.Array:
		for _, e := range n.Elements {
			if err := c.address(thunk{e.Expr, t.scope}); err != nil {
				return err
			}
		}
		return nil
	case *ast.Conditional:
		if c.isEmpty(n.BranchFalse) {
			return c.whileTrue(n, t.scope, c.addresses)
		}
	}
	return c.refuse(t.node, "verified_addresses must be a list of {via, value}, each perhaps with a condition")
}

func (c *converter) isEmpty(n ast.Node) bool {
	switch n := n.(type) {
	case nil, *ast.LiteralNull:
		return true
	case *ast.Array:
		return len(n.Elements) == 0
	}
	return false
}

// whileTrue converts what a condition leads to, with the condition on it.
func (c *converter) whileTrue(n *ast.Conditional, s *scope, convert func(thunk) error) error {
	cond, err := c.express(thunk{n.Cond, s})
	if err != nil {
		return err
	}
	c.deny(n, cond.fails)
	cond.fails = nil
	before := c.given
	defer func() { c.given = before }()
	c.given = conditional(before, cond, no)
	return convert(thunk{n.BranchTrue, s})
}

// address marks the trait that has a verified address.
func (c *converter) address(t thunk) error {
	t, err := c.resolve(t)
	if err != nil {
		return err
	}
	if n, ok := t.node.(*ast.Conditional); ok && c.isEmpty(n.BranchFalse) {
		return c.whileTrue(n, t.scope, c.address)
	}
	o, err := c.object(t)
	if err != nil {
		return err
	}
	var value thunk
	email := false
	for _, f := range o.fields {
		switch f.name {
		case "value":
			value = f.values[0].thunk
		case "via":
			via, _ := c.constant(f.values[0].thunk)
			email = via == "email"
		}
	}
	if value.node == nil || !email || len(o.fields) != 2 || len(o.fails) > 0 || !o.fields[0].always() || !o.fields[1].always() {
		return c.refuse(t.node, "a verified address must be {via: 'email', value: …}")
	}
	v, err := c.express(value)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(c.rules.Traits, func(t Trait) bool { return t.inner == v.text })
	if i < 0 {
		return c.refuse(t.node, "no trait has this very value: rules verify traits")
	}
	if c.rules.Traits[i].Verified != "" {
		return c.refuse(t.node, "this address stands twice")
	}
	if err := c.compiles(t.node, c.given.text); err != nil {
		return err
	}
	c.deny(t.node, guarded(c.given, v.fails))
	c.rules.Traits[i].Verified, c.rules.Traits[i].Email = c.given.text, true
	c.note(t.node, "%s counts as verified only for the domains of trust: list them; what is no address is refused", c.rules.Traits[i].Name)
	return nil
}

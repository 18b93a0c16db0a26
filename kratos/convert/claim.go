package convert

import (
	"slices"
	"strconv"
	"strings"

	"github.com/google/go-jsonnet/ast"
)

// What std.extVar('claims') has, in Kratos v1.3.1. Kratos reads the provider's
// claims into these and leaves out what is empty or false.
var (
	kratosTexts = []string{"iss", "sub", "name", "given_name", "family_name", "last_name", "middle_name", "nickname", "preferred_username", "profile",
		"picture", "website", "email", "gender", "birthdate", "zoneinfo", "locale", "phone_number", "updated_at", "hd", "team", "nonce"}
	kratosFlags = []string{"email_verified", "phone_number_verified", "nonce_supported"}
)

const rawClaims = "raw_claims"

// claim is a place in the claims; without keys it is all of them.
type claim struct {
	raw      bool // below raw_claims
	keys     []string
	defaults []field // what stands in for a claim that is not there
}

// claim returns the place that an expression reads, where it reads one.
func (c *converter) claim(t thunk) (claim, bool, error) {
	leave, err := c.enter(t.node)
	if err != nil {
		return claim{}, false, err
	}
	defer leave()
	if t, err = c.resolve(t); err != nil {
		return claim{}, false, err
	}
	switch n := t.node.(type) {
	case *ast.Apply:
		if name, ok := standard(n.Target, t.scope); !ok || name != "extVar" {
			return claim{}, false, nil
		}
		if len(n.Arguments.Positional) == 1 {
			if name, _ := c.constant(thunk{n.Arguments.Positional[0].Expr, t.scope}); name == "claims" {
				return claim{}, true, nil
			}
		}
		return claim{}, false, c.refuse(n, "rules know no external variable but claims")
	case *ast.Binary:
		return c.withDefaults(n, t.scope)
	case *ast.Index:
		key, ok := c.key(n, t.scope)
		if !ok {
			return claim{}, false, nil
		}
		at, ok, err := c.claim(thunk{n.Target, t.scope})
		if err != nil || !ok {
			return claim{}, false, err
		}
		at, err = c.below(n, at, key)
		return at, err == nil, err
	}
	return claim{}, false, nil
}

// withDefaults reads {…} + std.extVar('claims').
func (c *converter) withDefaults(n *ast.Binary, s *scope) (claim, bool, error) {
	if n.Op != ast.BopPlus {
		return claim{}, false, nil
	}
	at, ok, err := c.claim(thunk{n.Right, s})
	if err != nil || !ok || len(at.keys) > 0 || at.raw {
		return claim{}, false, err
	}
	o, err := c.object(thunk{n.Left, s})
	if err != nil {
		return claim{}, false, err
	}
	for _, f := range slices.Concat(o.fields, at.defaults) {
		if len(f.values) != 1 || f.values[0].guard.text != yes.text || len(at.defaults) > 0 {
			return claim{}, false, c.refuse(n, "defaults that depend on something cannot be converted")
		}
	}
	at.defaults = o.fields
	return at, true, nil
}

// below returns the member of a place, if rules can see it.
func (c *converter) below(n ast.Node, at claim, key string) (claim, error) {
	switch {
	case !at.raw && len(at.keys) > 0:
		return claim{}, c.refuse(n, "claims.%s has no members in Kratos", at.keys[0])
	case !at.raw && key == rawClaims:
		c.readsRaw(n)
		return claim{raw: true}, nil
	case !at.raw && !slices.Contains(kratosTexts, key) && !slices.Contains(kratosFlags, key):
		return claim{}, c.refuse(n, "Kratos's claims never have %s: this reads nothing there; the provider's own is claims.%s.%s", key, rawClaims, key)
	case at.raw && len(at.keys) == 0 && (key == "sub" || key == "iss"):
		return claim{}, c.refuse(n, "rules see Kratos's %s alone, as claims.%s", key, key)
	}
	at.keys = append(slices.Clone(at.keys), key)
	return at, nil
}

// read is the term of a claim; without one the mapper fails.
func (c *converter) read(n ast.Node, at claim) (term, error) {
	if len(at.keys) == 0 {
		return term{}, c.refuse(n, "all claims at once cannot be converted")
	}
	there := at.there()
	t := term{text: at.chain(), binds: bindsMember, presence: there.text, sure: there.sure}
	if at.flag() { // Kratos has no other value of it than true
		t = yes
	}
	missing := lacking(there)
	missing.natural = !at.flag()
	t.fails = []fail{missing}
	for _, d := range at.defaults {
		if d.name != at.keys[0] {
			continue
		}
		otherwise, err := c.express(d.values[0].thunk)
		if err != nil {
			return term{}, err
		}
		t.fails = nil
		return conditional(there, t, otherwise), nil
	}
	return t, nil
}

func (at claim) flag() bool { return !at.raw && slices.Contains(kratosFlags, at.keys[0]) }

// there is the condition that the claim is there; of Kratos's own flags, that
// it is true, or the text that Kratos takes for true.
func (at claim) there() term {
	var parts []string
	for i, key := range at.keys {
		of := claim{keys: at.keys[:i]}.chain()
		if plain(key) {
			parts = append(parts, "has("+of+"."+key+")")
		} else {
			parts = append(parts, strconv.Quote(key)+" in "+of)
		}
	}
	if at.flag() {
		parts = append(parts, at.chain()+` in [true, "true"]`)
	}
	t := all(parts)
	t.sure = len(at.keys) == 1
	return t
}

func (at claim) chain() string {
	out := "claims"
	for _, key := range at.keys {
		if plain(key) {
			out += "." + key
		} else {
			out += "[" + strconv.Quote(key) + "]"
		}
	}
	return out
}

// celWords cannot follow a dot.
var celWords = strings.Fields("as break const continue else false for function if import in let loop package namespace null return true var void while")

func plain(key string) bool {
	for i, r := range key {
		if r != '_' && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return key != "" && !slices.Contains(celWords, key)
}

package expr

import (
	"math"
	"unicode/utf8"
)

// plain evaluates an expression that is one claim, such as claims.email, without
// CEL: most of a mapping are, and this costs a twentieth. ok is false where CEL
// has to say what is wrong; what there is, both yield alike.
func (p *Program) plain(claims map[string]any) (value any, missing error, ok bool) {
	if p.chain == nil {
		return nil, nil, false
	}
	var at any = claims
	for i, step := range p.chain {
		m, isMap := at.(map[string]any)
		if !isMap {
			return nil, nil, false
		}
		if at, ok = m[step]; !ok {
			c := p.uses.chains[p.tree.Expr().ID()]
			return nil, p.lacks(c, c.pointers[i]), true
		}
	}
	room := maxResultSize
	value, ok = copied(at, maxResultDepth, &room)
	return value, nil, ok
}

// copied returns a copy of a JSON value within the limits of toJSON. What cannot
// change is returned as it came: to put it into another interface costs.
func copied(value any, depth int, room *int) (any, bool) {
	if *room--; *room < 0 {
		return nil, false
	}
	switch v := value.(type) {
	case nil, bool, int64:
		return value, true
	case float64:
		return value, !math.IsNaN(v) && !math.IsInf(v, 0)
	case string:
		return value, utf8.ValidString(v)
	case []any:
		list := make([]any, len(v))
		for i, item := range v {
			var ok bool
			if list[i], ok = copied(item, depth-1, room); !ok {
				return nil, false
			}
		}
		return list, depth > 0
	case map[string]any:
		m := make(map[string]any, len(v))
		for key, item := range v {
			value, ok := copied(item, depth-1, room)
			if !ok || !utf8.ValidString(key) {
				return nil, false
			}
			m[key] = value
		}
		return m, depth > 0
	}
	return nil, false
}

package strictjson

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
)

// bigint is an integer beyond int64 between parsing and assigning: a string
// there would pass for a JSON string.
type bigint string

// parser reads one document into a tree of string, bool, int64, bigint,
// float64, []any and map[string]any. A null is the nil any, in objects only.
type parser struct {
	data   []byte
	pos    int
	values int
	depth  int
	path   []step
}

// step is one token of the path to the value being read.
type step struct {
	key   string
	index int
	isKey bool // the token is key, else index
}

func (p *parser) document() (any, *Error) {
	p.space()
	if p.pos == len(p.data) {
		return nil, p.syntax("the document is empty, want JSON")
	}
	v, err := p.value()
	if err != nil {
		return nil, err
	}
	p.space()
	if p.pos < len(p.data) {
		return nil, p.syntax("there is more after the end of the document")
	}
	if v == nil {
		return nil, p.here("the document is null")
	}
	return v, nil
}

func (p *parser) syntax(message string) *Error {
	return &Error{Place: fmt.Sprintf("byte %d", p.pos), Message: message}
}

func (p *parser) here(message string) *Error {
	place := ""
	for _, s := range p.path {
		if s.isKey {
			place += "/" + token(s.key)
		} else {
			place += "/" + strconv.Itoa(s.index)
		}
	}
	return &Error{Place: place, Message: message}
}

func (p *parser) space() {
	for p.pos < len(p.data) {
		switch p.data[p.pos] {
		case ' ', '\t', '\r', '\n':
			p.pos++
		default:
			return
		}
	}
}

// next is the byte at the position, or 0 at the end: no JSON token begins with
// a zero byte.
func (p *parser) next() byte {
	if p.pos < len(p.data) {
		return p.data[p.pos]
	}
	return 0
}

func (p *parser) value() (any, *Error) {
	if p.values++; p.values > MaxValues {
		return nil, p.syntax(fmt.Sprintf("the document has more than %d values", MaxValues))
	}
	switch c := p.next(); {
	case c == '{' || c == '[':
		if p.depth++; p.depth > MaxDepth {
			return nil, p.syntax(fmt.Sprintf("objects and lists nest deeper than %d", MaxDepth))
		}
		defer func() { p.depth-- }()
		p.pos++
		if c == '[' {
			return p.list()
		}
		return p.object()
	case c == '"':
		return p.string()
	case c == '-' || '0' <= c && c <= '9':
		return p.number()
	default:
		return p.word()
	}
}

func (p *parser) word() (any, *Error) {
	rest := p.data[p.pos:]
	switch {
	case bytes.HasPrefix(rest, []byte("true")):
		p.pos += len("true")
		return true, nil
	case bytes.HasPrefix(rest, []byte("false")):
		p.pos += len("false")
		return false, nil
	case bytes.HasPrefix(rest, []byte("null")):
		p.pos += len("null")
		return nil, nil
	case len(rest) == 0:
		return nil, p.syntax("the document ends in the middle")
	}
	return nil, p.syntax("want a JSON value")
}

func (p *parser) list() (any, *Error) {
	list := []any{}
	p.space()
	if p.next() == ']' {
		p.pos++
		return list, nil
	}
	p.path = append(p.path, step{})
	for i := 0; ; i++ {
		p.path[len(p.path)-1].index = i
		p.space()
		v, err := p.value()
		if err != nil {
			return nil, err
		}
		if v == nil {
			return nil, p.here("a list has no place for null")
		}
		list = append(list, v)
		p.space()
		switch p.next() {
		case ',':
			p.pos++
		case ']':
			p.pos++
			p.path = p.path[:len(p.path)-1]
			return list, nil
		default:
			return nil, p.syntax("want a comma or ] after a list's element")
		}
	}
}

func (p *parser) object() (any, *Error) {
	object := map[string]any{}
	p.space()
	if p.next() == '}' {
		p.pos++
		return object, nil
	}
	seen := map[string]string{} // folded name → name; nulls count
	p.path = append(p.path, step{isKey: true})
	for {
		p.space()
		key, err := p.key(seen)
		if err != nil {
			return nil, err
		}
		v, err := p.value()
		if err != nil {
			return nil, err
		}
		object[key] = v
		p.space()
		switch p.next() {
		case ',':
			p.pos++
		case '}':
			p.pos++
			p.path = p.path[:len(p.path)-1]
			return object, nil
		default:
			return nil, p.syntax("want a comma or } after an object's member")
		}
	}
}

// key reads a member's name, its colon and the space around, and leaves the
// name in the path.
func (p *parser) key(seen map[string]string) (string, *Error) {
	if p.next() != '"' {
		return "", p.syntax("want a member's name in double quotes")
	}
	p.path[len(p.path)-1].key = ""
	start := p.pos
	key, err := p.string()
	if err != nil {
		return "", err
	}
	if len(key) > MaxKey {
		p.pos = start
		return "", p.syntax(fmt.Sprintf("a member's name is longer than %d bytes", MaxKey))
	}
	p.path[len(p.path)-1].key = key
	folded := fold(key)
	if other, ok := seen[folded]; ok && other == key {
		return "", p.here("the same name stands twice in one object")
	} else if ok {
		// Which of the two counts depends on the reader: whoever checked the
		// document before us may have looked at the other one.
		return "", p.here(fmt.Sprintf("the name differs from %q only in letter case", shown(other)))
	}
	seen[folded] = key
	p.space()
	if p.next() != ':' {
		return "", p.syntax("want a colon after a member's name")
	}
	p.pos++
	p.space()
	return key, nil
}

func (p *parser) digits() bool {
	start := p.pos
	for '0' <= p.next() && p.next() <= '9' {
		p.pos++
	}
	return p.pos > start
}

// number reads a number by the grammar of RFC 8259, section 6.
func (p *parser) number() (any, *Error) {
	start := p.pos
	if p.next() == '-' {
		p.pos++
	}
	leadingZero := p.next() == '0'
	first := p.pos
	if !p.digits() || leadingZero && p.pos > first+1 {
		return nil, p.syntax("a number is malformed")
	}
	integer := true
	if p.next() == '.' {
		integer = false
		p.pos++
		if !p.digits() {
			return nil, p.syntax("a number is malformed")
		}
	}
	if c := p.next(); c == 'e' || c == 'E' {
		integer = false
		p.pos++
		if c := p.next(); c == '+' || c == '-' {
			p.pos++
		}
		if !p.digits() {
			return nil, p.syntax("a number is malformed")
		}
	}
	text := string(p.data[start:p.pos])
	if integer {
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return n, nil
		}
		return bigint(text), nil
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(f, 0) {
		return nil, p.here("the number is too large")
	}
	return f, nil
}

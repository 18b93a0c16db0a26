package strictjson

import (
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// string reads a string. What is no Unicode text is refused rather than
// replaced: two different byte strings would become one text. So is NUL, which
// some stores and callees take for the end.
func (p *parser) string() (string, *Error) {
	p.pos++
	var b []byte   // what was read before the newest escape sequence, and that
	start := p.pos // of the text since then, which stands as it is
	for p.pos < len(p.data) {
		switch c := p.data[p.pos]; {
		case c == '"':
			text := p.data[start:p.pos]
			if b != nil {
				text = append(b, text...)
			}
			p.pos++
			return string(text), nil
		case c == '\\':
			b = append(b, p.data[start:p.pos]...)
			r, err := p.escape()
			if err != nil {
				return "", err
			}
			b = utf8.AppendRune(b, r)
			start = p.pos
		case c < ' ':
			return "", p.syntax("a string has a control character that is not escaped")
		case c < utf8.RuneSelf:
			p.pos++
		default:
			r, size := utf8.DecodeRune(p.data[p.pos:])
			if r == utf8.RuneError && size == 1 {
				return "", p.syntax("the text is not valid UTF-8")
			}
			p.pos += size
		}
	}
	return "", p.syntax("a string does not end")
}

// escape reads one escape sequence, or the two of a surrogate pair.
func (p *parser) escape() (rune, *Error) {
	start := p.pos
	p.pos++
	c := p.next()
	p.pos++
	switch c {
	case '"', '\\', '/':
		return rune(c), nil
	case 'b':
		return '\b', nil
	case 'f':
		return '\f', nil
	case 'n':
		return '\n', nil
	case 'r':
		return '\r', nil
	case 't':
		return '\t', nil
	case 'u':
		return p.unicode(start)
	}
	p.pos = start
	return 0, p.syntax("a string has an unknown escape sequence")
}

// unicode reads what follows \u; start is where the sequence began.
func (p *parser) unicode(start int) (rune, *Error) {
	r, ok := p.hex()
	switch {
	case !ok:
		p.pos = start
		return 0, p.syntax("want four hexadecimal digits after \\u")
	case r == 0:
		p.pos = start
		return 0, p.syntax("a string has the character NUL")
	case !utf16.IsSurrogate(r):
		return r, nil
	}
	if p.next() == '\\' {
		p.pos++
		if p.next() == 'u' {
			p.pos++
			if low, ok := p.hex(); ok {
				if pair := utf16.DecodeRune(r, low); pair != '�' {
					return pair, nil
				}
			}
		}
	}
	p.pos = start
	return 0, p.syntax("a string has half of a surrogate pair")
}

func (p *parser) hex() (rune, bool) {
	if len(p.data)-p.pos < 4 {
		return 0, false
	}
	n, err := strconv.ParseUint(string(p.data[p.pos:p.pos+4]), 16, 16)
	if err != nil {
		return 0, false
	}
	p.pos += 4
	return rune(n), true
}

// Package canon owns the canonical forms of e-mail addresses, user names and
// group names: two spellings with one canonical form are the same address, name
// or group, and any other two are not. Unique keys and comparisons rest on it.
//
// One rule stands above the others: no function maps a non-ASCII character to
// an ASCII one. An address spelt with a Kelvin sign or a dotless i would become
// somebody else's (CVE-2019-19844; GitHub's password reset, 2019), so such input
// is an error. Every function is idempotent, and no error text repeats its input.
//
// It must not know where a value comes from, who vouches for it or what it is
// used for. It does not detect look-alikes of different scripts that stay
// different, such as a Cyrillic letter for a Latin one.
package canon

import (
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// check says why a value is refused; the empty string means that it is not.
type check func(rune) string

// refused returns what the first check that objects to a rune of s says.
func refused(s string, checks ...check) string {
	if !utf8.ValidString(s) {
		return "is not valid UTF-8"
	}
	for _, r := range s {
		for _, c := range checks {
			if why := c(r); why != "" {
				return why
			}
		}
	}
	return ""
}

// hidden objects to what does not show on a screen or turns the direction of
// what does: control and format characters (bidi controls and joiners are among
// the latter), variation selectors, fillers, and every kind of space.
func hidden(r rune) string {
	switch {
	case '!' <= r && r <= '~': // printable ASCII, which nearly all is
		return ""
	case unicode.IsSpace(r), unicode.In(r, unicode.Z):
		return "has a space or a line break"
	case unicode.IsControl(r):
		return "has a control character"
	case unicode.In(r, unicode.Cf, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point):
		return "has an invisible or bidirectional formatting character"
	}
	return ""
}

// lookAlike objects to a non-ASCII rune that a change of case, of width or of
// compatibility form turns into ASCII, wholly or in part. It covers more than
// this package maps, because the systems behind it may map more.
func lookAlike(r rune) string {
	if r <= unicode.MaxASCII {
		return ""
	}
	if unicode.ToLower(r) <= unicode.MaxASCII || unicode.ToUpper(r) <= unicode.MaxASCII || hasASCII(norm.NFKC.String(string(r))) {
		return "has a non-ASCII character that changes into an ASCII one"
	}
	return ""
}

// ASCII reports whether s is made of ASCII characters alone. As a group's name
// it has no canonical form but itself, then.
func ASCII(s string) bool {
	for i := range len(s) {
		if s[i] > unicode.MaxASCII {
			return false
		}
	}
	return true
}

func hasASCII(s string) bool {
	for i := range len(s) {
		if s[i] <= unicode.MaxASCII {
			return true
		}
	}
	return false
}

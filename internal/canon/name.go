package canon

import (
	"errors"
	"fmt"
	"unicode"

	"golang.org/x/text/secure/precis"
	"golang.org/x/text/unicode/norm"
)

// Errors of Username and Group; what they return wraps these and says why.
var (
	// ErrUsername says that a string is no user name with a canonical form.
	ErrUsername = errors.New("user name cannot be used")
	// ErrGroup says that a string is no group name.
	ErrGroup = errors.New("group name cannot be used")
)

// MaxNameLength is the longest user or group name accepted, in bytes of its
// canonical form.
const MaxNameLength = 256

// Username returns the canonical form of a user name: the PRECIS profile
// UsernameCaseMapped (RFC 8265, section 3.3), that is lower case and NFC without
// spaces. Wide and narrow forms of ASCII are refused, where the profile would
// map them.
func Username(s string) (string, error) {
	canonical, why := username(s)
	if why == "" {
		// The profile is not idempotent for every string (RFC 8265, section 3.1).
		if again, _ := username(canonical); again != canonical {
			why = "has characters without a stable form"
		}
	}
	if why != "" {
		return "", fmt.Errorf("%w: it %s", ErrUsername, why)
	}
	return canonical, nil
}

func username(s string) (canonical, why string) {
	switch {
	case s == "":
		return "", "is empty"
	case len(s) > MaxNameLength:
		return "", "is longer than 256 bytes"
	}
	if why := refused(s, hidden, lookAlike); why != "" {
		return "", why
	}
	canonical, err := precis.UsernameCaseMapped.String(s)
	if err != nil {
		return "", "has characters that user names may not have (RFC 8265)"
	}
	if len(canonical) > MaxNameLength {
		return "", "is longer than 256 bytes in its canonical form"
	}
	return canonical, ""
}

// Group returns the canonical form of a group name, NFC. Case and spaces are
// part of a name. Empty names, names longer than MaxNameLength, control
// characters and characters that NFC turns into ASCII are refused.
func Group(s string) (string, error) {
	canonical := norm.NFC.String(s)
	why := refused(s, control, normalizesToASCII)
	switch {
	case s == "":
		why = "is empty"
	case len(canonical) > MaxNameLength:
		why = "is longer than 256 bytes"
	}
	if why != "" {
		return "", fmt.Errorf("%w: it %s", ErrGroup, why)
	}
	return canonical, nil
}

func control(r rune) string {
	if unicode.IsControl(r) {
		return "has a control character"
	}
	return ""
}

// normalizesToASCII objects to the few runes, such as the Kelvin sign, whose
// NFC is an ASCII character.
func normalizesToASCII(r rune) string {
	if r > unicode.MaxASCII && hasASCII(norm.NFC.String(string(r))) {
		return "has a non-ASCII character that changes into an ASCII one"
	}
	return ""
}

package canon

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/net/idna"
	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// ErrEmail says that a string is no e-mail address with a canonical form.
// Errors of Email wrap it and say why.
var ErrEmail = errors.New("e-mail address cannot be used")

// MaxEmailLength is the longest address accepted and returned, in bytes (RFC
// 5321, section 4.5.3.1.3, with erratum 1690).
const MaxEmailLength = 254

// maxLabel is the longest label of a domain, in bytes (RFC 1035, section 2.3.4).
// The domain as a whole is bounded by the address.
const maxLabel = 63

// atext is what RFC 5322, section 3.2.3, lets an unquoted local part have
// besides letters, digits and dots.
const atext = "!#$%&'*+-/=?^_`{|}~"

// Email returns the canonical form of a bare address (local@domain): the local
// part case-folded and in NFC, the domain in lower case with A-labels (RFC
// 5891). Plus tags and dots stay: whether they matter is the domain's business.
//
// Quoted local parts, display names, comments and address literals are refused,
// and so is anything that would fold to ASCII from elsewhere, such as ß: some
// systems take it for ss. (Its A-label is unambiguous, and fine.) An address with
// a canonical form need not exist, nor belong to who claims it.
func Email(s string) (string, error) {
	canonical, why := email(s)
	if why == "" && (!ASCII(s) || strings.Contains(canonical, "xn--")) {
		// Unicode's folding of rare combinations is not a fixed point in one
		// step; a form that changes again would be two keys for one address.
		// (What is ASCII folds to lower case, and that is one.)
		if again, _ := email(canonical); again != canonical {
			why = "has characters without a stable form"
		}
	}
	if why != "" {
		return "", fmt.Errorf("%w: it %s", ErrEmail, why)
	}
	return canonical, nil
}

// EmailDomain returns the domain of an address in the form that Email returns,
// for exact comparison with another such domain. It is empty if there is none.
func EmailDomain(canonical string) string {
	_, domain, _ := strings.Cut(canonical, "@")
	return domain
}

func email(s string) (canonical, why string) {
	if len(s) > MaxEmailLength {
		return "", "is longer than 254 bytes"
	}
	if why := refused(s, hidden, lookAlike, foldsToASCII); why != "" {
		return "", why
	}
	local, domain, _ := strings.Cut(s, "@")
	if local == "" || domain == "" || strings.Contains(domain, "@") {
		return "", "is not one local part, one @ and one domain"
	}
	if local, why = localPart(local); why != "" {
		return "", why
	}
	if domain, why = domainName(domain); why != "" {
		return "", why
	}
	canonical = local + "@" + domain
	if len(canonical) > MaxEmailLength {
		return "", "is longer than 254 bytes in its canonical form"
	}
	return canonical, ""
}

func localPart(s string) (canonical, why string) {
	for _, r := range s {
		letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
		if !letter && r <= unicode.MaxASCII && r != '.' && !strings.ContainsRune(atext, r) {
			return "", "has a character that needs quotes before the @"
		}
	}
	if strings.HasPrefix(s, ".") || strings.HasSuffix(s, ".") || strings.Contains(s, "..") {
		return "", "has a dot at an end of its local part, or two in a row"
	}
	if ASCII(s) { // nearly all are, and what is ASCII folds to lower case
		return strings.ToLower(s), ""
	}
	return norm.NFC.String(cases.Fold().String(norm.NFD.String(s))), ""
}

// domainName works label by label, so that nothing that is not a dot becomes
// one. idna's errors contain the input and are replaced.
func domainName(s string) (canonical, why string) {
	const bad = "has no valid domain name after the @"
	labels := strings.Split(s, ".")
	for i, label := range labels {
		if isPlain(label) {
			continue
		}
		ascii, err := idna.Lookup.ToASCII(label)
		if err != nil || ascii == "" || len(ascii) > maxLabel || strings.Contains(ascii, ".") {
			return "", bad
		}
		decoded, err := idna.Lookup.ToUnicode(ascii)
		if err != nil {
			return "", bad
		}
		// An A-label that hides pure ASCII (xn--acme- for acme) is a second
		// spelling of that label: the class of CVE-2024-12224. The library
		// refuses it as well; the harm is too great to rest on that alone.
		if strings.HasPrefix(ascii, "xn--") != isNonASCII(decoded) {
			return "", bad
		}
		// The label may have come encoded: what it hides is held to the same.
		if why := refused(decoded, hidden, lookAlike); why != "" {
			return "", why
		}
		labels[i] = ascii
	}
	return strings.Join(labels, "."), ""
}

// isPlain reports whether a label is its own canonical form, as nearly all are:
// lower-case letters and digits, with single hyphens between them (an NR-LDH label
// of RFC 5890, section 2.3.1, without what only idna can judge).
func isPlain(label string) bool {
	if label == "" || len(label) > maxLabel {
		return false
	}
	between := false // a hyphen may follow
	for i := range len(label) {
		switch c := label[i]; {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
			between = true
		case c == '-' && between:
			between = false
		default:
			return false
		}
	}
	return between
}

func isNonASCII(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r > unicode.MaxASCII })
}

// foldsToASCII objects to a rune whose full case folding contains ASCII, such
// as ß. A precomposed letter that folds to an ASCII letter with a mark composes
// again and is no such rune.
func foldsToASCII(r rune) string {
	if r > unicode.MaxASCII && hasASCII(norm.NFC.String(cases.Fold().String(string(r)))) {
		return "has a non-ASCII character that folds to ASCII"
	}
	return ""
}

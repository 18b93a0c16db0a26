// These tests prove which spellings are one and the same, that nothing outside
// ASCII ever becomes ASCII, that a canonical form is its own canonical form, and
// that no error repeats its input.
package canon_test

import (
	"errors"
	"strings"
	"testing"
	"unicode"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"

	"github.com/jithook/jithook/internal/canon"
)

type form struct {
	of  func(string) (string, error)
	err error
}

var forms = map[string]form{
	"email":    {canon.Email, canon.ErrEmail},
	"username": {canon.Username, canon.ErrUsername},
	"group":    {canon.Group, canon.ErrGroup},
}

// refused marks input without a canonical form.
const refused = "\x00"

func TestForms(t *testing.T) {
	for name, c := range map[string]struct{ form, in, want string }{
		"e-mail":                     {"email", "alice@acme.example", "alice@acme.example"},
		"e-mail, case":               {"email", "Alice.B@ACME.Example", "alice.b@acme.example"},
		"e-mail, plus and dots stay": {"email", "a.l+x@acme.example", "a.l+x@acme.example"},
		"e-mail, all of atext":       {"email", "!#$%&'*+-/=?^_`{|}~@a.example", "!#$%&'*+-/=?^_`{|}~@a.example"},
		"e-mail, one label":          {"email", "root@localhost", "root@localhost"},
		"e-mail, NFD":                {"email", "Re\u0301ne\u0301@acme.example", "r\u00e9n\u00e9@acme.example"},
		"e-mail, other script":       {"email", "ИВАН@acme.example", "иван@acme.example"},
		"e-mail, final sigma":        {"email", "Σας@acme.example", "σασ@acme.example"},
		"e-mail, caron j":            {"email", "ǰ@acme.example", "ǰ@acme.example"},
		"e-mail, domain to A-labels": {"email", "a@BÜCHER.example", "a@xn--bcher-kva.example"},
		"e-mail, A-label stays":      {"email", "a@XN--bcher-kva.example", "a@xn--bcher-kva.example"},

		"e-mail, A-label of a sharp s":  {"email", "a@xn--strae-oqa.example", "a@xn--strae-oqa.example"},
		"e-mail, sharp s in the domain": {"email", "a@straße.example", refused},

		"e-mail, empty":                   {"email", "", refused},
		"e-mail, no at":                   {"email", "alice.example", refused},
		"e-mail, two ats":                 {"email", "a@b@acme.example", refused},
		"e-mail, no local part":           {"email", "@acme.example", refused},
		"e-mail, no domain":               {"email", "alice@", refused},
		"e-mail, display name":            {"email", "Alice <a@acme.example>", refused},
		"e-mail, angle brackets":          {"email", "<a@acme.example>", refused},
		"e-mail, quoted":                  {"email", `"a"@acme.example`, refused},
		"e-mail, quoted at":               {"email", `"a@b"@acme.example`, refused},
		"e-mail, comment":                 {"email", "a(x)@acme.example", refused},
		"e-mail, comment in the domain":   {"email", "a@acme.example(x)", refused},
		"e-mail, two addresses":           {"email", "a@acme.example,b@acme.example", refused},
		"e-mail, group syntax":            {"email", "x:a@acme.example;", refused},
		"e-mail, backslash":               {"email", `a\b@acme.example`, refused},
		"e-mail, leading dot":             {"email", ".a@acme.example", refused},
		"e-mail, trailing dot":            {"email", "a.@acme.example", refused},
		"e-mail, two dots":                {"email", "a..b@acme.example", refused},
		"e-mail, space":                   {"email", " a@acme.example", refused},
		"e-mail, space at the end":        {"email", "a@acme.example ", refused},
		"e-mail, no-break space":          {"email", "a\u00a0@acme.example", refused},
		"e-mail, line break":              {"email", "a@acme.example\nBcc:x@evil.example", refused},
		"e-mail, NUL":                     {"email", "a\x00@acme.example", refused},
		"e-mail, delete":                  {"email", "a\x7f@acme.example", refused},
		"e-mail, bidi override":           {"email", "a\u202e@acme.example", refused},
		"e-mail, right-to-left mark":      {"email", "a@acme\u200f.example", refused},
		"e-mail, zero width space":        {"email", "a\u200b@acme.example", refused},
		"e-mail, zero width joiner":       {"email", "a\u200d@acme.example", refused},
		"e-mail, soft hyphen":             {"email", "a@ac\u00adme.example", refused},
		"e-mail, variation selector":      {"email", "a@é\ufe0f.example", refused},
		"e-mail, grapheme joiner":         {"email", "a\u034f@acme.example", refused},
		"e-mail, Hangul filler":           {"email", "a\u3164@acme.example", refused},
		"e-mail, not UTF-8":               {"email", "a\xff@acme.example", refused},
		"e-mail, too long":                {"email", strings.Repeat("a", 255-len("@acme.example")) + "@acme.example", refused},
		"e-mail, shorter when canonical":  {"email", strings.Repeat("e\u0301", 84) + "@acme.example", refused},
		"e-mail, stop after an A-label":   {"email", "a@é\u3002example", refused},
		"e-mail, longer when canonical":   {"email", "a@" + strings.Repeat("ü.", 80) + "example", refused},
		"e-mail, longest":                 {"email", strings.Repeat("a", 254-len("@acme.example")) + "@acme.example", strings.Repeat("a", 254-len("@acme.example")) + "@acme.example"},
		"e-mail, empty label":             {"email", "a@acme..example", refused},
		"e-mail, dot at the end":          {"email", "a@acme.example.", refused},
		"e-mail, dot at the front":        {"email", "a@.acme.example", refused},
		"e-mail, long label":              {"email", "a@" + strings.Repeat("a", 64) + ".example", refused},
		"e-mail, underscore":              {"email", "a@ac_me.example", refused},
		"e-mail, hyphen at the front":     {"email", "a@-acme.example", refused},
		"e-mail, address literal":         {"email", "a@[127.0.0.1]", refused},
		"e-mail, port":                    {"email", "a@acme.example:25", refused},
		"e-mail, percent":                 {"email", "a@acme%2eexample", refused},
		"S24 e-mail, Kelvin sign":         {"email", "mi\u212ae@acme.example", refused},
		"e-mail, dotless i":               {"email", "m\u0131ke@acme.example", refused},
		"e-mail, dotted I":                {"email", "M\u0130KE@acme.example", refused},
		"e-mail, long s":                  {"email", "alice\u017f@acme.example", refused},
		"e-mail, sharp s":                 {"email", "strauß@acme.example", refused},
		"e-mail, ligature":                {"email", "o\ufb03ce@acme.example", refused},
		"e-mail, full width":              {"email", "ａlice@acme.example", refused},
		"e-mail, full-width at":           {"email", "alice＠acme.example", refused},
		"e-mail, Angstrom is no ASCII":    {"email", "\u212b@acme.example", "å@acme.example"},
		"e-mail, Kelvin in the domain":    {"email", "a@mi\u212ae.example", refused},
		"e-mail, dotless i, domain":       {"email", "a@g\u0131thub.example", refused},
		"e-mail, full-width domain":       {"email", "a@ａcme.example", refused},
		"e-mail, mixed full width":        {"email", "a@éａ.example", refused},
		"e-mail, ideographic full stop":   {"email", "a@acme\u3002example", refused},
		"e-mail, full-width full stop":    {"email", "a@acme\uff0eexample", refused},
		"e-mail, half-width full stop":    {"email", "a@acme\uff61example", refused},
		"e-mail, one dot leader":          {"email", "a@acme\u2024example", refused},
		"e-mail, ASCII in an A-label":     {"email", "a@xn--acme-.example", refused},
		"e-mail, empty A-label":           {"email", "a@xn--.example", refused},
		"e-mail, broken A-label":          {"email", "a@xn--\u00fc.example", refused},
		"e-mail, A-label of a look-alike": {"email", "a@xn--gthub-n4a.example", refused}, // gıthub

		"user name":                    {"username", "Alice", "alice"},
		"user name, an e-mail":         {"username", "Alice@Acme.example", "alice@acme.example"},
		"user name, NFD":               {"username", "Rene\u0301", "ren\u00e9"},
		"user name, sharp s":           {"username", "Strauß", "strauß"},
		"user name, other script":      {"username", "ИВАН", "иван"},
		"user name, Hebrew":            {"username", "דוד", "דוד"},
		"user name, mixed direction":   {"username", "aדוד", refused},
		"user name, empty":             {"username", "", refused},
		"user name, space":             {"username", "alice b", refused},
		"user name, space at the end":  {"username", "alice ", refused},
		"user name, control character": {"username", "alice\x01", refused},
		"user name, bidi override":     {"username", "alice\u202e", refused},
		"user name, joiner":            {"username", "ali\u200dce", refused},
		"user name, Kelvin sign":       {"username", "mi\u212ae", refused},
		"user name, dotless i":         {"username", "m\u0131ke", refused},
		"user name, dotted I":          {"username", "M\u0130KE", refused},
		"user name, long s":            {"username", "alice\u017f", refused},
		"user name, full width":        {"username", "ａlice", refused},
		"user name, superscript":       {"username", "alice\u00b9", refused},
		"user name, emoji":             {"username", "alice😀", refused},
		"user name, not UTF-8":         {"username", "alice\xff", refused},
		"user name, too long":          {"username", strings.Repeat("a", 257), refused},

		"group":                    {"group", "Domain Users", "Domain Users"},
		"group, case stays":        {"group", "ENG", "ENG"},
		"group, NFD":               {"group", "Caf\u0065\u0301", "Caf\u00e9"},
		"group, full width stays":  {"group", "ｅng", "ｅng"},
		"group, longest":           {"group", strings.Repeat("a", 256), strings.Repeat("a", 256)},
		"group, empty":             {"group", "", refused},
		"group, control character": {"group", "eng\n", refused},
		"group, C1 control":        {"group", "eng\u0085", refused},
		"group, not UTF-8":         {"group", "eng\xff", refused},
		"group, too long":          {"group", strings.Repeat("a", 257), refused},
		"group, Kelvin sign":       {"group", "mi\u212ae", refused},
		"group, Greek question":    {"group", "eng\u037e", refused},
	} {
		t.Run(name, func(t *testing.T) {
			f := forms[c.form]
			got, err := f.of(c.in)
			if c.want == refused {
				if !errors.Is(err, f.err) || got != "" {
					t.Fatalf("%q becomes %q, error %v; want %v", c.in, got, err, f.err)
				}
				if c.in != "" && len(c.in) > 3 && strings.Contains(err.Error(), c.in) {
					t.Errorf("the error %q repeats the input", err)
				}
				return
			}
			if err != nil || got != c.want {
				t.Errorf("%q becomes %q, error %v; want %q", c.in, got, err, c.want)
			}
		})
	}
}

func TestEmailDomain(t *testing.T) {
	for in, want := range map[string]string{"a@acme.example": "acme.example", "a@xn--bcher-kva.example": "xn--bcher-kva.example", "none": "", "": ""} {
		if got := canon.EmailDomain(in); got != want {
			t.Errorf("EmailDomain(%q) = %q, want %q", in, got, want)
		}
	}
}

// Every character of Unicode that has a mapping or a meaning, inside an address or a name that anybody may own:
// none may turn into the ASCII of somebody else's.
func TestNoRuneBecomesASCII(t *testing.T) {
	for r := rune(unicode.MaxASCII + 1); r <= unicode.MaxRune; r++ {
		s := string(r)
		changes := unicode.ToLower(r) != r || unicode.ToUpper(r) != r || !norm.NFKC.IsNormalString(s)
		special := unicode.In(r, unicode.P, unicode.Z, unicode.Cc, unicode.Cf, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point)
		if (!changes && !special) || unicode.In(r, unicode.Han, unicode.Hangul) {
			continue
		}
		for name, c := range map[string]struct {
			of func(string) (string, error)
			in string
		}{
			"local part": {canon.Email, "a" + s + "b@c.example"},
			"domain":     {canon.Email, "a@b" + s + "c.example"},
			"user name":  {canon.Username, "a" + s + "b"},
			"group":      {canon.Group, "a" + s + "b"},
		} {
			got, err := c.of(c.in)
			if err == nil && isASCII(got) && !strings.Contains(got, "xn--") {
				t.Errorf("%s: %U gives %q", name, r, got)
			}
		}
	}
}

// TestPlainLabels has the rules of IDNA judge what Email takes without asking
// them: every short label, and those about as long as a label may be.
func TestPlainLabels(t *testing.T) {
	labels := []string{""}
	for n := 0; len(labels[n]) < 6; n++ {
		for _, c := range "az09-" {
			labels = append(labels, labels[n]+string(c))
		}
	}
	for _, n := range []int{62, 63, 64} {
		labels = append(labels, strings.Repeat("a", n), strings.Repeat("0", n), strings.Repeat("a", n-1)+"-", "xn--"+strings.Repeat("a", n-4))
	}
	for _, label := range labels {
		want, err := idna.Lookup.ToASCII(label)
		got, refused := canon.Email("a@" + label)
		if isRefused := err != nil || label == "" || len(label) > 63; isRefused != (refused != nil) || !isRefused && got != "a@"+want {
			t.Errorf("%q: %q, %v; IDNA: %q, %v", label, got, refused, want, err)
		}
	}
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r > unicode.MaxASCII })
}

// FuzzForms: no panic; idempotent; ASCII comes from the same ASCII only.
func FuzzForms(f *testing.F) {
	for _, s := range []string{
		"Alice@ACME.example", "a@BÜCHER.example", "mi\u212ae@x.example", "İ@x", "ǰ\u0301@x", "\u0345\u0301@x", "ᾳ@x", "a@xn--bcher-kva", "a@xn--acme-",
		"Re\u0301ne\u0301", "ａ", "ß", "\u1e9e", "\u0390", "a\u0308\u0323", "\u1100\u1161\u11a8", "ŉ", "\uff76\uff9e", "a@\u0661.example", "\u05d0@\u05d0",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for name, form := range forms {
			once, err := form.of(s)
			if err != nil {
				continue
			}
			twice, err := form.of(once)
			if err != nil || twice != once {
				t.Errorf("%s: %q becomes %q, and that %q, %v", name, s, once, twice, err)
			}
			// An ASCII result has one source: itself, but for letter case. Only a
			// domain gets ASCII from elsewhere, marked as such by xn--.
			if isASCII(once) && !strings.Contains(once, "xn--") {
				if !isASCII(s) || !strings.EqualFold(s, once) {
					t.Errorf("%s: %q becomes the ASCII %q", name, s, once)
				}
			}
		}
		// Two ASCII strings that differ in more than case never meet: folding
		// is all that happens to them.
		if isASCII(s) && !strings.Contains(strings.ToLower(s), "xn--") {
			if got, err := canon.Email(s); err == nil && got != strings.ToLower(s) {
				t.Errorf("%q becomes %q", s, got)
			}
			if got, err := canon.Username(s); err == nil && got != strings.ToLower(s) {
				t.Errorf("%q becomes %q", s, got)
			}
		}
	})
}

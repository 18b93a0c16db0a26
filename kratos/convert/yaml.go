package convert

import (
	"fmt"
	"regexp"
	"strings"
)

const preface = `# A claim that is null counts as missing here, and one that is empty is there
# (Kratos leaves empty ones out). A login is refused where a claim is no string
# and the mapper would have made one of it.
`

// Differs says for which claims the rules do not give what the mapper gives.
const Differs = `a claim that is "" is there for the rules, and one that is null counts as missing; Kratos takes "" away before its mapper runs`

// YAML returns the rules as part of a provider's file: what belongs below
// version, provider, issuer and trust.
func (r Rules) YAML() string {
	var b strings.Builder
	b.WriteString(preface + "jit:\n  enabled: true\n")
	if len(r.Deny) > 0 {
		b.WriteString("  deny:\n")
	}
	for _, d := range r.Deny {
		fmt.Fprintf(&b, "    - {when: %s%s}\n", scalar(d.When), member("message", d.Message))
	}
	b.WriteString("traits:")
	if len(r.Traits) == 0 {
		b.WriteString(" {}")
	}
	b.WriteString("\n")
	for _, t := range r.Traits {
		fmt.Fprintf(&b, "  %s: {value: %s%s", key(t.Name), values(t.Values), member("verified", t.Verified))
		if t.Email {
			b.WriteString(", canonical: email")
		}
		if t.Reject {
			b.WriteString(", absent: reject")
		}
		b.WriteString("}\n")
	}
	return b.String()
}

func values(texts []string) string {
	if len(texts) == 1 {
		return scalar(texts[0])
	}
	quoted := make([]string, len(texts))
	for i, t := range texts {
		quoted[i] = scalar(t)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

func member(name, text string) string {
	if text == "" {
		return ""
	}
	return ", " + name + ": " + scalar(text)
}

// words are what YAML may take for something else than a string.
var words = regexp.MustCompile(`(?i)^(null|true|false|yes|no|on|off|y|n)$|^[0-9._+-]`)

func key(name string) string {
	if words.MatchString(name) {
		return "'" + name + "'"
	}
	return name
}

// simple is what YAML takes for a string without quotes.
var simple = regexp.MustCompile(`^claims(\.[A-Za-z_][A-Za-z0-9_]*)+$`)

func scalar(text string) string {
	if simple.MatchString(text) {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", "''") + "'"
}

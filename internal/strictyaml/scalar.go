package strictyaml

import (
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// scalarKind is what a scalar is to every reader of YAML.
type scalarKind int

const (
	kindString scalarKind = iota
	kindNull
	kindBool
	kindInt
	kindFloat
	// kindUnclear is a plain scalar that readers of YAML 1.1, 1.2 and JSON take
	// for different things: 010, 0x1F, 1_000, +1, .5, .inf, True.
	kindUnclear
)

type scalar struct {
	text string
	kind scalarKind
}

var (
	decimal = regexp.MustCompile(`^-?(0|[1-9][0-9]*)$`)
	number  = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?$`)
	unclear = regexp.MustCompile(`^([-+]?(0[xX][0-9a-fA-F_]+|0[oO]?[0-7_]+|0[bB][01_]+|[0-9][0-9_]*(\.[0-9_]*)?([eE][-+]?[0-9]+)?|\.[0-9][0-9_]*([eE][-+]?[0-9]+)?|\.(inf|Inf|INF))|\.(nan|NaN|NAN)|True|TRUE|False|FALSE)$`)
)

// kindOf is the kind of a plain scalar.
func kindOf(text string) scalarKind {
	switch {
	case slices.Contains([]string{"", "~", "null", "Null", "NULL"}, text):
		return kindNull
	case text == "true" || text == "false":
		return kindBool
	case decimal.MatchString(text):
		return kindInt
	case number.MatchString(text):
		return kindFloat
	case unclear.MatchString(text):
		return kindUnclear
	}
	return kindString
}

// integer returns the scalar as an integer of so many bits; wrong says why it
// is none.
func (s scalar) integer(bits int) (n int64, wrong string) {
	if s.kind != kindInt {
		return 0, "want an integer, in decimal digits without quotes"
	}
	n, err := strconv.ParseInt(s.text, 10, bits)
	if err != nil {
		return 0, "the integer is out of range"
	}
	return n, ""
}

// day is the unit that time.ParseDuration lacks. It is 24 hours, whatever the
// clocks do.
const day = 24 * time.Hour

func (s scalar) duration() (d time.Duration, wrong string) {
	const want = "want a duration such as 60s, 24h, 90d or 0"
	if days, ok := strings.CutSuffix(s.text, "d"); ok && decimal.MatchString(days) {
		n, err := strconv.ParseInt(days, 10, 64)
		if err != nil || n < 0 || n > math.MaxInt64/int64(day) {
			return 0, "the duration is out of range"
		}
		return time.Duration(n) * day, ""
	}
	d, err := time.ParseDuration(s.text) // its error contains the text
	if err != nil || s.kind != kindString && s.text != "0" {
		return 0, want
	}
	if d < 0 {
		return 0, "want a duration of 0 or more"
	}
	return d, ""
}

// value returns the scalar as a JSON-like value.
func (s scalar) value() (v any, wrong string) {
	switch s.kind {
	case kindString:
		return s.text, ""
	case kindBool:
		return s.text == "true", ""
	case kindInt:
		n, err := strconv.ParseInt(s.text, 10, 64)
		if err != nil {
			return nil, "the integer is beyond 64 bits; quote it to make it a string"
		}
		return n, ""
	case kindFloat:
		f, err := strconv.ParseFloat(s.text, 64)
		if err != nil {
			return nil, "the number is too large; quote it to make it a string"
		}
		return f, ""
	case kindUnclear:
		return nil, "readers of YAML take this for different things: quote it to make it a string, or write it like JSON"
	}
	return nil, empty
}

// empty is the message about a null or an empty string.
const empty = "there is no value; give it one, or leave the key out"

// near returns the name that was probably meant, or "".
func near(key string, names []string) string {
	best, name := 3, "" // more than two slips are another word
	for _, n := range names {
		if d := distance(strings.ToLower(key), n); d < best && d*2 <= len(n) {
			best, name = d, n
		}
	}
	return name
}

// distance is the Levenshtein distance, cut short for very different lengths.
func distance(a, b string) int {
	if len(a) > len(b)+2 || len(b) > len(a)+2 {
		return 3
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}

// maxShown is how much of a key a message shows, in characters.
const maxShown = 64

func quoted(key string) string {
	if utf8.RuneCountInString(key) > maxShown {
		key = string([]rune(key)[:maxShown]) + "…"
	}
	return strconv.Quote(key)
}

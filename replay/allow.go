package replay

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Tolerance is how many logins may differ, by kind. Of a kind that it does not
// name it is none.
type Tolerance map[Kind]Limit

// Limit is a number of logins, or a share of those that were replayed.
type Limit struct {
	Logins  int
	Percent float64
}

// ParseTolerance reads "traits=10,groups=0.5%": a number of logins, or a
// percentage of those that are replayed.
func ParseTolerance(text string) (Tolerance, error) {
	t := Tolerance{}
	if text == "" {
		return t, nil
	}
	for _, part := range strings.Split(text, ",") {
		name, amount, ok := strings.Cut(part, "=")
		kind := Kind(name)
		if !ok || !slices.Contains(Kinds(), kind) {
			return nil, fmt.Errorf("%q is not KIND=AMOUNT; there are the kinds %q", part, Kinds())
		}
		if _, twice := t[kind]; twice {
			return nil, fmt.Errorf("%s is there twice", kind)
		}
		limit, err := parseLimit(amount)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", kind, err)
		}
		t[kind] = limit
	}
	return t, nil
}

var errLimit = errors.New("an amount is a number of logins, such as 10, or a share of them, such as 0.5%")

func parseLimit(text string) (Limit, error) {
	if share, ok := strings.CutSuffix(text, "%"); ok {
		p, err := strconv.ParseFloat(share, 64)
		if err != nil || !(p >= 0 && p <= 100) {
			return Limit{}, errLimit
		}
		return Limit{Percent: p}, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return Limit{}, errLimit
	}
	return Limit{Logins: n}, nil
}

// Exceeded returns the kinds of which more logins differ than may.
func (t Tolerance) Exceeded(s Summary) []Kind {
	var over []Kind
	for _, k := range Kinds() {
		if n := float64(s.Kinds[k]); n > float64(t[k].Logins) && n > t[k].Percent/100*float64(s.Replayed) {
			over = append(over, k)
		}
	}
	return over
}

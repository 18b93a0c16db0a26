package provision

import (
	"maps"
	"slices"
	"time"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/policy"
)

// difference brings what a mapping yields into an identity.
type difference struct {
	source string
	// heir reports whether what another source wrote is this one's to change.
	heir     func(source string) bool
	at       time.Time
	identity *identity.Identity

	// method is how traits are synced; creating says that the identity is not
	// there yet, dated when the claims were made, if anybody knows.
	method   policy.AttributeSync
	creating bool
	dated    time.Time
	// wrote are the paths of the traits that were written.
	wrote []string
}

// owns reports whether what source wrote is this mapping's to change. What was
// imported is everybody's: no provider has said it, and whoever filled in a form
// of Kratos's may have.
func (d *difference) owns(source string) bool {
	return source == d.source || source == identity.SourceImport || d.heir(source)
}

// equalJSON compares JSON values. Numbers are compared by value: a store may
// give back an int64 where a float64 without a fraction went in.
func equalJSON(a, b any) bool {
	switch a := a.(type) {
	case int64:
		switch b := b.(type) {
		case int64:
			return a == b
		case float64:
			return float64(a) == b && int64(b) == a
		}
		return false
	case float64:
		if _, ok := b.(int64); ok {
			return equalJSON(b, a)
		}
		f, ok := b.(float64)
		return ok && f == a
	case []any:
		list, ok := b.([]any)
		return ok && slices.EqualFunc(a, list, equalJSON)
	case map[string]any:
		m, ok := b.(map[string]any)
		return ok && maps.EqualFunc(a, m, equalJSON)
	default: // string, bool, nil
		switch b.(type) {
		case []any, map[string]any:
			return false
		}
		return a == b
	}
}

// escape makes a JSON Pointer token (RFC 6901, section 3).
func escape(token string) string { return identity.Pointer(token)[1:] }

// Package strictjson owns the one decoder for JSON that strangers send. It
// refuses what encoding/json lets pass and what two readers of one document may
// understand differently: duplicate keys, keys that differ only in letter case
// (encoding/json folds even "ſub" into "sub" and takes the last of two), unknown
// fields, trailing data, text that is not Unicode, and any size without bound.
//
// It must not know what a document means or who sent it. No error of this
// package contains a value of the input; names of members may appear, shortened
// and escaped.
package strictjson

import (
	"errors"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of a document.
const (
	// MaxBytes is the longest document accepted.
	MaxBytes = 1 << 20
	// MaxDepth is how deep objects and lists may nest.
	MaxDepth = 64
	// MaxValues bounds the values in a document, containers counted.
	MaxValues = 1 << 14
	// MaxKey is the longest name of a member, in bytes.
	MaxKey = 1 << 10
)

// Error says what is wrong with a document, and where.
type Error struct {
	// Place is a JSON Pointer (RFC 6901; "" is the whole document) whose
	// tokens are cut at 64 characters, or "byte N", counted from 0, where the
	// text is no JSON.
	Place string
	// Message is a sentence for who wrote the document.
	Message string
}

func (e *Error) Error() string {
	if e.Place == "" {
		return e.Message
	}
	return e.Place + ": " + e.Message
}

// below is the error about what stands in an object or a list at a token.
func (e *Error) below(token string) *Error {
	e.Place = "/" + token + e.Place
	return e
}

// Decode reads one JSON document from r, up to the end of r, into what into
// points to: a struct with json tags, a map with string keys, or an any.
//
// Members that are null count as absent, and fields without a member keep their
// value; a null in a list is an error. Only a map of pointers tells the two
// apart: there a null is a nil pointer. In an any, values are string, bool,
// int64, float64, []any and map[string]any; an integer beyond int64 is its own
// digits as a string, so that no two become equal. Struct fields may be of those
// kinds, other integers and floats, time.Time (RFC 3339), structs, slices, maps
// with string keys, and pointers to any of them.
//
// Errors about the document are an *Error and leave into as it was. Errors of r
// are wrapped, so that errors.As finds an *http.MaxBytesError.
func Decode(r io.Reader, into any) error {
	data, err := io.ReadAll(io.LimitReader(r, MaxBytes+1))
	if err != nil {
		return fmt.Errorf("read JSON: %w", err)
	}
	return Unmarshal(data, into)
}

// Unmarshal is Decode for a document in memory.
func Unmarshal(data []byte, into any) error {
	target := reflect.ValueOf(into)
	if target.Kind() != reflect.Pointer || target.IsNil() {
		return errors.New("strictjson: the target is not a pointer")
	}
	if len(data) > MaxBytes {
		return &Error{Message: fmt.Sprintf("the document is longer than %d bytes", MaxBytes)}
	}
	p := parser{data: data}
	tree, fault := p.document()
	if fault != nil {
		return fault
	}
	// Only a whole success shows in the target.
	fresh := reflect.New(target.Type().Elem()).Elem()
	fresh.Set(target.Elem())
	if fault := assign(tree, fresh); fault != nil {
		return fault
	}
	target.Elem().Set(fresh)
	return nil
}

// maxToken is how much of a name an error shows, in characters.
const maxToken = 64

// token is a name as it may stand in a Place: cut, printable, and with the
// escapes of JSON Pointer.
func token(key string) string {
	return pointer.Replace(shown(key))
}

// pointer escapes a name for a JSON Pointer. One is made for all: it is most of
// what a name would cost.
var pointer = strings.NewReplacer("~", "~0", "/", "~1")

// shown is a name as it may stand in an error: cut, and printable.
func shown(key string) string {
	if utf8.RuneCountInString(key) > maxToken {
		key = string([]rune(key)[:maxToken]) + "…"
	}
	var b strings.Builder
	for _, r := range key {
		if unicode.IsPrint(r) {
			b.WriteRune(r)
		} else {
			b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		}
	}
	return b.String()
}

// fold returns a key that is equal for all names that encoding/json takes for
// one another: every rune becomes the least of its simple foldings, and a letter
// of ASCII the small one, as which most names are written.
func fold(s string) string {
	return strings.Map(func(r rune) rune {
		least := r
		if r >= utf8.RuneSelf {
			for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
				least = min(least, f)
			}
		}
		if 'A' <= least && least <= 'Z' {
			least += 'a' - 'A'
		}
		return least
	}, s)
}

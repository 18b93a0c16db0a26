package mongo

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// The names of traits are anybody's text, and BSON has no field with NUL in its
// name, a server may read $ and . in one as an operator or a path, and some
// refuse an empty one. Such characters are written as in a URL, % itself too:
// no two names become one, and usual names stand as they are.

// nameEscapes lists what is escaped, and noName is the empty name: a % that
// nothing follows comes from nowhere else.
var nameEscapes = [...]string{"%", "%25", "$", "%24", ".", "%2E", "\x00", "%00"}

const noName = "%"

// escaper and unescaper are made once: a name would cost little beside them.
var (
	escaper   = strings.NewReplacer(nameEscapes[:]...)
	unescaper = func() *strings.Replacer {
		back := slices.Clone(nameEscapes[:])
		slices.Reverse(back) // pairs and all
		return strings.NewReplacer(back...)
	}()
)

func escapeName(name string) string {
	if name == "" {
		return noName
	}
	return escaper.Replace(name)
}

func unescapeName(field string) string {
	if field == noName {
		return ""
	}
	return unescaper.Replace(field)
}

const (
	errValue = fault("a trait has a value that is no JSON value")
	errText  = fault("a trait has text that is not valid UTF-8")
	errTime  = fault("a time lies outside the years 0 to 9999")
)

// encodeTraits returns traits as a document: an int64 as such, a float64 as a
// double, so that both come back as what they were. It refuses what would come
// back as something else.
func encodeTraits(traits map[string]any) (bson.Raw, error) {
	doc, err := toDocument(traits)
	if err != nil {
		return nil, err
	}
	raw, err := bson.Marshal(doc)
	if err != nil {
		return nil, errValue
	}
	return raw, nil
}

func toDocument(m map[string]any) (bson.D, error) {
	doc := make(bson.D, 0, len(m))
	for _, name := range slices.Sorted(maps.Keys(m)) {
		if !utf8.ValidString(name) {
			return nil, errText
		}
		v, err := toBSON(m[name])
		if err != nil {
			return nil, err
		}
		doc = append(doc, bson.E{Key: escapeName(name), Value: v})
	}
	return doc, nil
}

func toBSON(v any) (any, error) {
	switch v := v.(type) {
	case nil, bool, int64:
		return v, nil
	case string:
		if !utf8.ValidString(v) {
			return nil, errText
		}
		return v, nil
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, errValue
		}
		return v, nil
	case []any:
		list := make(bson.A, len(v))
		for n, item := range v {
			var err error
			if list[n], err = toBSON(item); err != nil {
				return nil, err
			}
		}
		return list, nil
	case map[string]any:
		return toDocument(v)
	}
	return nil, errValue
}

// decodeTraits undoes encodeTraits.
func decodeTraits(raw bson.Raw) (map[string]any, error) {
	elements, err := raw.Elements()
	if err != nil {
		return nil, errValue
	}
	traits := make(map[string]any, len(elements))
	for _, e := range elements {
		if traits[unescapeName(e.Key())], err = fromBSON(e.Value()); err != nil {
			return nil, err
		}
	}
	return traits, nil
}

func fromBSON(v bson.RawValue) (any, error) {
	switch v.Type {
	case bson.TypeNull:
		return nil, nil
	case bson.TypeBoolean:
		return v.Boolean(), nil
	case bson.TypeString:
		return v.StringValue(), nil
	case bson.TypeInt64:
		return v.Int64(), nil
	case bson.TypeInt32: // by another hand: a shell, an import
		return int64(v.Int32()), nil
	case bson.TypeDouble:
		return v.Double(), nil
	case bson.TypeEmbeddedDocument:
		return decodeTraits(v.Document())
	case bson.TypeArray:
		items, err := v.Array().Values()
		if err != nil {
			return nil, errValue
		}
		list := make([]any, len(items))
		for n, item := range items {
			if list[n], err = fromBSON(item); err != nil {
				return nil, err
			}
		}
		return list, nil
	}
	return nil, errValue
}

// stampFormat is the text of a time in UTC.
const stampFormat = "2006-01-02T15:04:05.000000000Z"

// stamp returns the text of t.
func stamp(t time.Time) (string, error) {
	if t.IsZero() {
		return "", nil
	}
	if t = t.UTC(); t.Year() < 0 || t.Year() > 9999 {
		return "", errTime
	}
	return t.Format(stampFormat), nil
}

// stampWriter collects the first error of many stamps.
type stampWriter struct{ err error }

func (w *stampWriter) stamp(t time.Time) string {
	text, err := stamp(t)
	if err != nil {
		w.err = err
	}
	return text
}

// stampReader collects the first error of many times.
type stampReader struct{ err error }

func (r *stampReader) time(text string) time.Time {
	if text == "" {
		return time.Time{}
	}
	t, err := time.Parse(stampFormat, text)
	if err != nil {
		r.err = err
	}
	return t
}

// damaged names the document by its id, which is no secret.
func damaged(what, id string) error {
	return fault(fmt.Sprintf("the %s %s is damaged: restore it from a backup, or remove what another program wrote into it", what, id))
}

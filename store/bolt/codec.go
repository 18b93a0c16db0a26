package bolt

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jithook/jithook/identity"
)

// A document is JSON. In it a number with a point or an exponent is a float64,
// any other an int64: so both come back as what they were, exactly.

// encodeIdentity returns the document of i, with its times in UTC.
func encodeIdentity(i identity.Identity) ([]byte, error) {
	i = i.Clone()
	for _, t := range []*time.Time{&i.CreatedAt, &i.UpdatedAt, &i.RenewedAt, &i.LastLoginAt} {
		*t = t.UTC()
	}
	for n := range i.Provenance {
		i.Provenance[n].At = i.Provenance[n].At.UTC()
	}
	for n := range i.Links {
		i.Links[n].LinkedAt = i.Links[n].LinkedAt.UTC()
		i.Links[n].ClaimsTime = i.Links[n].ClaimsTime.UTC()
	}
	for name, v := range i.Traits {
		text, err := toJSON(v)
		if err != nil {
			return nil, err
		}
		if !utf8.ValidString(name) {
			return nil, errText
		}
		i.Traits[name] = text
	}
	return encode(i)
}

func encodeRecord(r identity.Record) ([]byte, error) {
	r.At, r.CommittedAt = r.At.UTC(), r.CommittedAt.UTC()
	return encode(r)
}

func encode(v any) ([]byte, error) {
	doc, err := json.Marshal(v)
	if err != nil { // such as a year of five digits; the text may hold a value
		return nil, fault("a value cannot be written as JSON")
	}
	return doc, nil
}

const (
	errValue = fault("a trait has a value that is no JSON value")
	errText  = fault("a trait has text that is not valid UTF-8")
)

// toJSON returns v with every float64 as text that keeps it apart from an
// int64. It refuses what would come back as something else.
func toJSON(v any) (any, error) {
	switch v := v.(type) {
	case nil, bool, int64:
		return v, nil
	case string:
		if !utf8.ValidString(v) { // encoding/json would replace it silently
			return nil, errText
		}
		return v, nil
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, errValue
		}
		text := strconv.FormatFloat(v, 'g', -1, 64)
		if !isFloat(text) {
			text += ".0"
		}
		return json.Number(text), nil
	case []any:
		return listToJSON(v)
	case map[string]any:
		return mapToJSON(v)
	}
	return nil, errValue
}

func listToJSON(list []any) (any, error) {
	out := make([]any, len(list))
	for n, v := range list {
		text, err := toJSON(v)
		if err != nil {
			return nil, err
		}
		out[n] = text
	}
	return out, nil
}

func mapToJSON(m map[string]any) (any, error) {
	out := make(map[string]any, len(m))
	for name, v := range m {
		if !utf8.ValidString(name) {
			return nil, errText
		}
		text, err := toJSON(v)
		if err != nil {
			return nil, err
		}
		out[name] = text
	}
	return out, nil
}

func isFloat(number string) bool { return strings.ContainsAny(number, ".eE") }

// decodeIdentity reads a document; id is its key in the file.
func decodeIdentity(id, doc []byte) (identity.Identity, error) {
	var i identity.Identity
	d := json.NewDecoder(bytes.NewReader(doc))
	d.UseNumber()
	if err := d.Decode(&i); err != nil || i.ID != string(id) {
		return identity.Identity{}, damaged("identity", id)
	}
	for name, v := range i.Traits {
		value, err := fromJSON(v)
		if err != nil {
			return identity.Identity{}, damaged("identity", id)
		}
		i.Traits[name] = value
	}
	return i, nil
}

// decodeRecord reads a record; id is its key in the file.
func decodeRecord(id, doc []byte) (identity.Record, error) {
	var r identity.Record
	if err := json.Unmarshal(doc, &r); err != nil || r.ID != string(id) {
		return identity.Record{}, damaged("decision record", id)
	}
	return r, nil
}

// damaged names the document by its id, which is no secret.
func damaged(what string, id []byte) error {
	return fault(fmt.Sprintf("the %s %s is damaged in the file: restore a backup", what, id))
}

// fromJSON undoes toJSON in place.
func fromJSON(v any) (any, error) {
	var err error
	switch v := v.(type) {
	case json.Number:
		if isFloat(v.String()) {
			return v.Float64()
		}
		return v.Int64()
	case []any:
		for n := range v {
			if v[n], err = fromJSON(v[n]); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		for name := range v {
			if v[name], err = fromJSON(v[name]); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}

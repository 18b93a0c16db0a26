package bolt

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/internal/exactjson"
)

// A document is JSON; the traits in it are those of package exactjson.

// encodeIdentity returns the document of i, with its times in UTC.
func encodeIdentity(i identity.Identity) ([]byte, error) {
	if _, pinned := pinOf([]byte(i.ID)); pinned {
		return nil, errMark
	}
	i = i.UTC()
	traits, err := exactjson.Encode(i.Traits)
	switch {
	case errors.Is(err, exactjson.ErrText):
		return nil, errText
	case err != nil:
		return nil, errValue
	}
	i.Traits = traits
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

// decodeIdentity reads a document; id is its key in the file.
func decodeIdentity(id, doc []byte) (identity.Identity, error) {
	var i identity.Identity
	d := json.NewDecoder(bytes.NewReader(doc))
	d.UseNumber()
	if err := d.Decode(&i); err != nil || i.ID != string(id) {
		return identity.Identity{}, damaged("identity", id)
	}
	if err := exactjson.Decode(i.Traits); err != nil {
		return identity.Identity{}, damaged("identity", id)
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

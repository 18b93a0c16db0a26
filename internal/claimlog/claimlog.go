// Package claimlog is what a decision record keeps of the claims that it rests
// on: nothing, a keyed hash of each, or all of them encrypted. Who reads the store
// without a key learns the names of claims at most.
//
// It must not know where keys and records come from, nor who may read them.
package claimlog

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/internal/exactjson"
)

const (
	// KeySize is the size of a key, in bytes.
	KeySize = 32
	// MaxSize bounds what a record keeps, in bytes before encryption. Records
	// of logins that changed nothing wait in memory, thousands of them.
	MaxSize = 16 << 10
)

// Key is a secret under a name that records refer to.
type Key struct {
	ID     string
	Secret []byte
}

// Keeper keeps claims with its first key, and reads with all. A nil one keeps and
// reads nothing. It is safe for concurrent use.
type Keeper struct {
	mode  identity.ClaimsMode
	write string
	keys  map[string]derived
}

// derived are the keys that are made of a Key, one for each use.
type derived struct {
	mac  []byte
	aead cipher.AEAD
}

// New returns a Keeper. Errors: a mode other than off and no key, a key of
// another size than KeySize, two of the same name; none holds a secret.
func New(mode identity.ClaimsMode, keys []Key) (*Keeper, error) {
	k := &Keeper{mode: mode, keys: map[string]derived{}}
	for _, key := range keys {
		if len(key.Secret) != KeySize {
			return nil, fmt.Errorf("the key %q has %d bytes and needs %d", key.ID, len(key.Secret), KeySize)
		}
		if _, twice := k.keys[key.ID]; twice {
			return nil, fmt.Errorf("there are two keys %q", key.ID)
		}
		d, err := derive(key.Secret)
		if err != nil {
			return nil, err
		}
		k.keys[key.ID] = d
	}
	switch {
	case len(keys) > 0:
		k.write = keys[0].ID
	case mode != identity.ClaimsOff:
		return nil, errors.New("claims are kept with a key only, and there is none")
	}
	return k, nil
}

func derive(secret []byte) (d derived, err error) {
	if d.mac, err = hkdf.Key(sha256.New, secret, nil, "jithook claims, hashed", KeySize); err != nil {
		return d, err
	}
	full, err := hkdf.Key(sha256.New, secret, nil, "jithook claims, full", KeySize)
	if err != nil {
		return d, err
	}
	block, err := aes.NewCipher(full)
	if err != nil {
		return d, err
	}
	d.aead, err = cipher.NewGCMWithRandomNonce(block)
	return d, err
}

// Keep returns what the record with this id keeps of claims, nil for nothing. Of
// claims that are longer than MaxSize it keeps that they were. Where they are
// kept in full, so is the subject that they were about.
func (k *Keeper) Keep(id, subject string, claims map[string]any) *identity.KeptClaims {
	if k == nil || k.mode == identity.ClaimsOff || claims == nil {
		return nil
	}
	kept := &identity.KeptClaims{Mode: k.mode, KeyID: k.write}
	key := k.keys[k.write]
	if k.mode == identity.ClaimsFull {
		// Bound to the record: what is copied into another does not open.
		if text, ok := encode(subject, claims); ok {
			kept.Data = key.aead.Seal(nil, nil, text, []byte(id))
		}
		return kept
	}
	h := hasher{mac: key.mac, left: MaxSize, list: []Hash{}}
	h.walk("", claims)
	if text, err := json.Marshal(h.list); err == nil && h.left >= 0 {
		kept.Data = text
	}
	return kept
}

// sealed is what is encrypted.
type sealed struct {
	Subject string          `json:"subject"`
	Claims  json.RawMessage `json:"claims"`
}

// withSubject is the byte in front of a sealed. What begins with a brace are
// claims alone, of records that know no subject.
const withSubject = 1

func encode(subject string, claims map[string]any) (text []byte, ok bool) {
	if exact, err := exactjson.Encode(claims); err == nil {
		claims = exact // 2.0 stays apart from 2, as rules tell them apart
	}
	inner, err := json.Marshal(claims)
	if err != nil || len(inner) > MaxSize {
		return nil, false
	}
	outer, err := json.Marshal(sealed{subject, inner})
	return append([]byte{withSubject}, outer...), err == nil
}

func decode(text []byte) (o Opened, ok bool) {
	if len(text) == 0 || text[0] != withSubject {
		return Opened{Values: text}, json.Valid(text)
	}
	var s sealed
	err := json.Unmarshal(text[1:], &s)
	return Opened{Values: s.Claims, Subject: s.Subject}, err == nil
}

// Hash is the keyed hash of one value among the claims. The same value at the same
// path has the same hash under the same key, in whichever record.
type Hash struct {
	// Path is a JSON Pointer (RFC 6901) into the claims.
	Path string `json:"path"`
	// HMAC is the HMAC-SHA-256 in base64url without padding.
	HMAC string `json:"hmac"`
}

// Opened is what can be read of kept claims: all of them, as JSON, or hashes.
type Opened struct {
	Values json.RawMessage
	Hashes []Hash
	// Subject is whom the Values are about; empty where the record does not say.
	Subject string
}

// Claims are the Values as rules saw them; nil if they cannot be.
func (o Opened) Claims() map[string]any {
	var claims map[string]any
	d := json.NewDecoder(bytes.NewReader(o.Values))
	d.UseNumber()
	if d.Decode(&claims) != nil || exactjson.Decode(claims) != nil {
		return nil
	}
	return claims
}

// Open reads what a record keeps, which must be something. The error says for
// people why it cannot be read.
func (k *Keeper) Open(r identity.Record) (Opened, error) {
	kept := r.Claims
	if len(kept.Data) == 0 {
		return Opened{}, fmt.Errorf("the claims were longer than %d bytes and were left out", MaxSize)
	}
	if kept.Mode == identity.ClaimsHashed {
		var o Opened
		if err := json.Unmarshal(kept.Data, &o.Hashes); err != nil {
			return Opened{}, errors.New("the hashes are damaged")
		}
		return o, nil
	}
	var key derived
	known := false
	if k != nil {
		key, known = k.keys[kept.KeyID]
	}
	if !known {
		return Opened{}, fmt.Errorf("the claims are encrypted with the key %q, which is not among decisions.keys", kept.KeyID)
	}
	text, err := key.aead.Open(nil, nil, kept.Data, []byte(r.ID))
	o, ok := decode(text)
	if err != nil || !ok {
		return Opened{}, fmt.Errorf("the claims do not open: they were altered, or the key %q is not the one that it was", kept.KeyID)
	}
	return o, nil
}

// hasher hashes the leaves of a tree. Once left, what remains of MaxSize, is
// below zero, the list is not whole.
type hasher struct {
	mac  []byte
	left int
	list []Hash
}

func (h *hasher) walk(path string, value any) {
	if h.left < 0 {
		return
	}
	switch v := value.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			h.walk(path+"/"+pointer.Replace(name), v[name])
		}
		if len(v) > 0 {
			return
		}
	case []any:
		for n, item := range v {
			h.walk(path+"/"+strconv.Itoa(n), item)
		}
		if len(v) > 0 {
			return
		}
	}
	h.leaf(path, value)
}

func (h *hasher) leaf(path string, value any) {
	text, err := json.Marshal(value)
	if err != nil {
		h.left = -1
		return
	}
	m := hmac.New(sha256.New, h.mac)
	// JSON holds no zero byte: path and value cannot run into one another.
	m.Write(bytes.Join([][]byte{[]byte(path), text}, []byte{0}))
	hash := Hash{path, base64.RawURLEncoding.EncodeToString(m.Sum(nil))}
	h.left -= len(`{"path":"","hmac":""},`) + len(hash.Path) + len(hash.HMAC)
	h.list = append(h.list, hash)
}

// pointer escapes a name for a JSON Pointer.
var pointer = strings.NewReplacer("~", "~0", "/", "~1")

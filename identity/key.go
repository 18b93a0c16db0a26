package identity

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"strings"
)

// Key is one thing that only one identity may have: a kind, a colon and a
// SHA-256 over length-prefixed parts. No two lists of parts collide, and no
// e-mail or subject stands in an index or in a driver's error text. (It is not
// secret: who can guess the parts can compute the key.)
type Key string

// Kinds of keys.
const (
	KeyFed  = "fed"  // issuer, subject: in the whole installation
	KeyExt  = "ext"  // system, instance, id: in the whole installation
	KeyMail = "mail" // canonical verified e-mail: per userstore
	KeyName = "name" // path and canonical name: per userstore
)

// Kind returns the part before the colon.
func (k Key) Kind() string {
	kind, _, _ := strings.Cut(string(k), ":")
	return kind
}

// FedKey is the key of a federated subject.
func FedKey(issuer, subject string) Key { return newKey(KeyFed, issuer, subject) }

// ExtKey is the key of an identity in a caller's own system.
func ExtKey(e ExternalID) Key { return newKey(KeyExt, e.System, e.Instance, e.ID) }

// MailKey is the key of a canonical e-mail address within a userstore. It does
// not name a path: two traits that hold one address are the same address.
func MailKey(userstore, canonical string) Key { return newKey(KeyMail, userstore, canonical) }

// NameKey is the key of a canonical name at a path within a userstore.
func NameKey(userstore, path, canonical string) Key {
	return newKey(KeyName, userstore, path, canonical)
}

func newKey(kind string, parts ...string) Key {
	text := make([]byte, 0, 256)
	for _, p := range parts {
		text = binary.BigEndian.AppendUint64(text, uint64(len(p)))
		text = append(text, p...)
	}
	sum := sha256.Sum256(text)
	key := append(make([]byte, 0, 64), kind...)
	return Key(base64.RawURLEncoding.AppendEncode(append(key, ':'), sum[:]))
}

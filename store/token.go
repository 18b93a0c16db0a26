package store

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash/crc32"
)

// ErrPageToken says that a page token was not made by this store.
var ErrPageToken = errors.New("page_token was not issued by this server")

// Kinds of page tokens.
const (
	TokenIdentities = 'i' // of List: the page goes on behind the id, upwards
	TokenDecisions  = 'd' // of Decisions: the page goes on behind the id, downwards
)

// NewPageToken returns the token of the page that goes on behind this id. The
// id need not exist any more. The checksum tells a token that we made from a
// typing error; it is no proof, and whoever forges one sees what he may see
// anyway.
func NewPageToken(kind byte, id string) string {
	body := append([]byte{kind}, id...)
	return base64.RawURLEncoding.EncodeToString(binary.BigEndian.AppendUint32(body, crc32.ChecksumIEEE(body)))
}

// ParsePageToken returns the id in a token of this kind; no token is the
// beginning, "". Errors: ErrPageToken.
func ParsePageToken(kind byte, token string) (string, error) {
	if token == "" {
		return "", nil
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(raw) < 6 || raw[0] != kind {
		return "", ErrPageToken
	}
	body, sum := raw[:len(raw)-4], raw[len(raw)-4:]
	if crc32.ChecksumIEEE(body) != binary.BigEndian.Uint32(sum) {
		return "", ErrPageToken
	}
	return string(body[1:]), nil
}

package idtoken

import (
	"encoding/base64"
	"strings"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/internal/strictjson"
)

// token is a JWS in compact form (RFC 7515, section 7.1), taken apart and not
// verified.
type token struct {
	alg, kid  string
	claims    map[string]any
	signed    string // what the signature is about: header and payload as they came
	signature []byte
}

// forbidden are header members that are refused: those with which a token would
// bring its own key (CVE-2018-0114), and those that change what the signature is
// about, of which we understand none.
var forbidden = []string{"jwk", "jku", "x5u", "x5c", "crit", "b64", "zip"}

func malformed(why string) error { return refuse(identity.CodeTokenInvalid, why) }

func parse(raw string) (token, error) {
	if len(raw) > MaxToken {
		return token{}, malformed("it is longer than 16 KiB")
	}
	last := strings.LastIndexByte(raw, '.')
	if last < 0 || strings.Count(raw, ".") != 2 {
		return token{}, malformed("it does not have three parts")
	}
	t := token{signed: raw[:last]}
	head, payload, _ := strings.Cut(t.signed, ".")
	header, err := object(head)
	if err != nil {
		return token{}, err
	}
	for _, name := range forbidden {
		if _, there := header[name]; there {
			return token{}, malformed("its header has " + name)
		}
	}
	// A token of another kind, signed with the same keys, is no ID token (RFC
	// 8725, section 3.11): at+jwt, logout+jwt and whatever comes.
	if typ, there := header["typ"]; there {
		if text, _ := typ.(string); !strings.EqualFold(text, "JWT") {
			return token{}, malformed("its typ is not JWT")
		}
	}
	t.alg, _ = header["alg"].(string)
	if kid, there := header["kid"]; there {
		if t.kid, _ = kid.(string); t.kid == "" {
			return token{}, malformed("its kid is no text")
		}
	}
	if t.claims, err = object(payload); err != nil {
		return token{}, err
	}
	if t.signature, err = decode(raw[last+1:]); err != nil {
		return token{}, err
	}
	return t, nil
}

// object decodes a part that is a JSON object, as strictly as all that strangers
// send: a name that stands twice would be one thing to us and another to who
// checked the token before us.
func object(part string) (map[string]any, error) {
	data, err := decode(part)
	if err != nil {
		return nil, err
	}
	var v any
	if err := strictjson.Unmarshal(data, &v); err != nil {
		return nil, malformed("a part is not strict JSON")
	}
	members, ok := v.(map[string]any)
	if !ok {
		return nil, malformed("a part is no JSON object")
	}
	return members, nil
}

// decode is base64url without padding (RFC 7515, section 2). The decoder of the
// standard library passes over line ends, and so would take several texts for
// one.
func decode(part string) ([]byte, error) {
	data, err := base64.RawURLEncoding.Strict().DecodeString(part)
	if err != nil || strings.ContainsAny(part, "\r\n") {
		return nil, malformed("a part is not base64url")
	}
	return data, nil
}

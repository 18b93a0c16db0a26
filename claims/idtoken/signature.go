package idtoken

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	_ "crypto/sha256" // the hashes that the algorithms name
	_ "crypto/sha512"
	"math/big"
	"slices"
)

// algorithm is a signature algorithm of JOSE (RFC 7518, RFC 8037).
type algorithm struct {
	name   string
	family family
	hash   crypto.Hash
	bits   int // of the curve, for ES
}

type family int

const (
	rs family = iota // RSASSA-PKCS1-v1_5
	ps               // RSASSA-PSS
	es               // ECDSA
	ed               // Ed25519
)

// known are the algorithms there are. "none" and those with a shared secret
// (HS256…) are not among them and never will be: what verifies those could also
// make them.
var known = []algorithm{
	{"RS256", rs, crypto.SHA256, 0},
	{"RS384", rs, crypto.SHA384, 0},
	{"RS512", rs, crypto.SHA512, 0},
	{"PS256", ps, crypto.SHA256, 0},
	{"PS384", ps, crypto.SHA384, 0},
	{"PS512", ps, crypto.SHA512, 0},
	{"ES256", es, crypto.SHA256, 256},
	{"ES384", es, crypto.SHA384, 384},
	{"ES512", es, crypto.SHA512, 521},
	{"EdDSA", ed, 0, 0},
}

// Algorithms returns every algorithm that Rules may allow.
func Algorithms() []string {
	var names []string
	for _, a := range known {
		names = append(names, a.name)
	}
	return names
}

// DefaultAlgorithms returns those that are allowed where a file names none.
func DefaultAlgorithms() []string { return []string{"RS256", "PS256", "ES256", "EdDSA"} }

func algorithmOf(name string) (algorithm, bool) {
	i := slices.IndexFunc(known, func(a algorithm) bool { return a.name == name })
	if i < 0 {
		return algorithm{}, false
	}
	return known[i], true
}

// RSA keys below 2048 bits are too weak (RFC 7518, section 3.3); above 8192, one
// check would cost milliseconds.
const (
	minRSA = 2048
	maxRSA = 8192
)

// fits reports whether the key is of the kind that the algorithm is for. This,
// and not what the token says, decides how a key is used.
func (a algorithm) fits(key crypto.PublicKey) bool {
	switch k := key.(type) {
	case *rsa.PublicKey:
		return (a.family == rs || a.family == ps) && k.N.BitLen() >= minRSA && k.N.BitLen() <= maxRSA
	case *ecdsa.PublicKey:
		return a.family == es && k.Curve.Params().BitSize == a.bits
	case ed25519.PublicKey:
		return a.family == ed
	}
	return false
}

// verify reports whether signature is one of key over signed.
func (a algorithm) verify(key crypto.PublicKey, signed string, signature []byte) bool {
	if !a.fits(key) {
		return false
	}
	if a.family == ed {
		return ed25519.Verify(key.(ed25519.PublicKey), []byte(signed), signature)
	}
	h := a.hash.New()
	h.Write([]byte(signed))
	digest := h.Sum(nil)
	switch a.family {
	case rs:
		return rsa.VerifyPKCS1v15(key.(*rsa.PublicKey), a.hash, digest, signature) == nil
	case ps:
		// RFC 7518, section 3.5: the salt is as long as the hash.
		o := &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}
		return rsa.VerifyPSS(key.(*rsa.PublicKey), a.hash, digest, signature, o) == nil
	default:
		// RFC 7518, section 3.4: R and S, each as long as the curve's order.
		half := (a.bits + 7) / 8
		if len(signature) != 2*half {
			return false
		}
		r, s := new(big.Int).SetBytes(signature[:half]), new(big.Int).SetBytes(signature[half:])
		return ecdsa.Verify(key.(*ecdsa.PublicKey), digest, r, s)
	}
}

//go:build unix

package idtoken_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"math/big"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// BenchmarkL3_AgainstSignature measures what a whole check costs beside the bare
// signature in it (hash and verification by the standard library, nothing
// decoded), in CPU time of the process, garbage collection included. Blocks of
// both alternate, so that a busy machine slows both; the metrics are medians, and
// "ratio" is the one to look at. `make bench-trust` runs it.
func BenchmarkL3_AgainstSignature(b *testing.B) {
	p := newParty(startIDP(b), loopback, nil)
	for _, c := range []struct{ alg, pair string }{{"RS256", "rsa"}, {"ES256", "p256"}, {"EdDSA", "ed"}} {
		b.Run(c.alg, func(b *testing.B) {
			token := sign(c.pair, c.alg, map[string]any{"alg": c.alg, "kid": c.pair, "typ": "JWT"}, p.good())
			l := login(token, "n-0S6_WzA2Mj")
			check := func() {
				if _, err := p.Claims(b.Context(), l); err != nil {
					b.Fatal(err)
				}
			}
			raw := bare(b, c.pair, token)
			check()
			raw()
			const block = 250
			var checks, raws, ratios []float64
			for b.Loop() {
				start := cpu(b)
				for range block {
					check()
				}
				between := cpu(b)
				for range block {
					raw()
				}
				c, r := float64(between-start)/block/1000, float64(cpu(b)-between)/block/1000
				checks, raws, ratios = append(checks, c), append(raws, r), append(ratios, c/r)
			}
			b.ReportMetric(median(raws), "us-without")
			b.ReportMetric(median(checks), "us-with")
			b.ReportMetric(median(ratios), "ratio")
		})
	}
}

func median(of []float64) float64 { return slices.Sorted(slices.Values(of))[len(of)/2] }

// bare verifies the signature of a token and nothing else.
func bare(b *testing.B, pair, token string) func() {
	last := strings.LastIndexByte(token, '.')
	signed := []byte(token[:last])
	signature, err := base64.RawURLEncoding.DecodeString(token[last+1:])
	if err != nil {
		b.Fatal(err)
	}
	return func() {
		digest := sha256.Sum256(signed)
		good := false
		switch k := keyPairs()[pair].Public().(type) {
		case *rsa.PublicKey:
			good = rsa.VerifyPKCS1v15(k, crypto.SHA256, digest[:], signature) == nil
		case *ecdsa.PublicKey:
			half := len(signature) / 2
			good = ecdsa.Verify(k, digest[:], new(big.Int).SetBytes(signature[:half]), new(big.Int).SetBytes(signature[half:]))
		case ed25519.PublicKey:
			good = ed25519.Verify(k, signed, signature)
		}
		if !good {
			b.Fatal("a bad signature")
		}
	}
}

// cpu is the CPU time that the process has used.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// These tests prove that kept claims open with their key, in their record and
// nowhere else, that hashes are the same for the same value only, and that what is
// kept is bounded.
package claimlog_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/internal/claimlog"
)

func key(id string, fill byte) claimlog.Key {
	return claimlog.Key{ID: id, Secret: bytes.Repeat([]byte{fill}, claimlog.KeySize)}
}

func keeper(t *testing.T, mode identity.ClaimsMode, keys ...claimlog.Key) *claimlog.Keeper {
	t.Helper()
	k, err := claimlog.New(mode, keys)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

type object = map[string]any

var ann = object{"email": "ann@acme.example", "n": json.Number("12345678901234567890"), "groups": []any{"a", object{"x/y~": nil}}, "none": []any{}, "deep": object{}}

func TestFull(t *testing.T) {
	k := keeper(t, identity.ClaimsFull, key("new", 2), key("old", 1))
	r := identity.Record{ID: "r-1", Claims: k.Keep("r-1", "s-ann", ann)}
	if r.Claims.Mode != identity.ClaimsFull || r.Claims.KeyID != "new" || bytes.Contains(r.Claims.Data, []byte("ann")) {
		t.Errorf("kept %+v", r.Claims)
	}
	if again := k.Keep("r-1", "s-ann", ann); bytes.Equal(again.Data, r.Claims.Data) {
		t.Error("the same claims are encrypted to the same bytes: the nonce is used twice")
	}
	o, err := keeper(t, identity.ClaimsOff, key("newer", 3), key("new", 2)).Open(r)
	want, _ := json.Marshal(ann)
	if err != nil || string(o.Values) != string(want) || o.Hashes != nil || o.Subject != "s-ann" {
		t.Errorf("opened %s of %q, %v", o.Values, o.Subject, err)
	}

	moved, altered := r, r
	moved.ID = "r-2"
	data := bytes.Clone(r.Claims.Data)
	data[len(data)/2] ^= 1
	altered.Claims = &identity.KeptClaims{Mode: r.Claims.Mode, KeyID: r.Claims.KeyID, Data: data}
	for name, c := range map[string]struct {
		keeper *claimlog.Keeper
		record identity.Record
		want   string
	}{
		"in another record": {k, moved, "altered"},
		"altered":           {k, altered, "altered"},
		"another key":       {keeper(t, identity.ClaimsFull, key("new", 9)), r, "altered"},
		"key gone":          {keeper(t, identity.ClaimsFull, key("old", 1)), r, `"new", which is not among decisions.keys`},
		"no keys":           {nil, r, "not among decisions.keys"},
		"cut":               {k, identity.Record{ID: "r-1", Claims: &identity.KeptClaims{Mode: identity.ClaimsFull, KeyID: "new", Data: data[:3]}}, "altered"},
		"unknown mode":      {k, identity.Record{ID: "r-1", Claims: &identity.KeptClaims{Mode: "plain", KeyID: "new", Data: []byte("{}")}}, "altered"},
		"no hashes":         {k, identity.Record{ID: "r-1", Claims: &identity.KeptClaims{Mode: identity.ClaimsHashed, KeyID: "new", Data: []byte("{")}}, "damaged"},
	} {
		if o, err := c.keeper.Open(c.record); err == nil || !strings.Contains(err.Error(), c.want) || o.Values != nil || o.Hashes != nil {
			t.Errorf("%s: opened %s, %v", name, o.Values, err)
		}
	}
}

// TestAsRulesSawThem: what is opened has the types that rules tell apart.
func TestAsRulesSawThem(t *testing.T) {
	k := keeper(t, identity.ClaimsFull, key("a", 1))
	saw := object{"n": int64(2), "x": 2.0, "big": int64(9007199254740993), "list": []any{true, object{"y": 0.5}}, "s": "2"}
	o, err := k.Open(identity.Record{ID: "r-1", Claims: k.Keep("r-1", "s-1", saw)})
	if diff := cmp.Diff(saw, o.Claims()); err != nil || diff != "" {
		t.Errorf("%v, (-saw +opened):\n%s", err, diff)
	}
}

// TestOfBefore: claims that were sealed without their subject still open.
func TestOfBefore(t *testing.T) {
	secret, err := hkdf.Key(sha256.New, key("a", 1).Secret, nil, "jithook claims, full", claimlog.KeySize)
	if err != nil {
		t.Fatal(err)
	}
	block, err := aes.NewCipher(secret)
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		t.Fatal(err)
	}
	data := aead.Seal(nil, nil, []byte(`{"email":"ann@acme.example"}`), []byte("r-1"))
	o, err := keeper(t, identity.ClaimsOff, key("a", 1)).Open(identity.Record{ID: "r-1", Claims: &identity.KeptClaims{Mode: identity.ClaimsFull, KeyID: "a", Data: data}})
	if err != nil || string(o.Values) != `{"email":"ann@acme.example"}` || o.Subject != "" {
		t.Errorf("opened %s of %q, %v", o.Values, o.Subject, err)
	}
}

func hashes(t *testing.T, k *claimlog.Keeper, id string, claims object) map[string]string {
	t.Helper()
	r := identity.Record{ID: id, Claims: k.Keep(id, "s-ann", claims)}
	o, err := (*claimlog.Keeper)(nil).Open(r) // hashes need no key
	if err != nil {
		t.Fatal(err)
	}
	m := map[string]string{}
	for _, h := range o.Hashes {
		m[h.Path] = h.HMAC
	}
	return m
}

func TestHashed(t *testing.T) {
	k := keeper(t, identity.ClaimsHashed, key("a", 1))
	got := hashes(t, k, "r-1", ann)
	var paths []string
	for _, p := range []string{"/deep", "/email", "/groups/0", "/groups/1/x~1y~0", "/n", "/none"} {
		if len(got[p]) == 43 {
			paths = append(paths, p)
		}
	}
	if len(paths) != 6 || len(got) != 6 {
		t.Errorf("hashes %v", got)
	}
	if diff := cmp.Diff(got, hashes(t, k, "r-2", ann)); diff != "" {
		t.Errorf("the same claims in another record:\n%s", diff)
	}
	for name, other := range map[string]map[string]string{
		"another key":   hashes(t, keeper(t, identity.ClaimsHashed, key("a", 2)), "r-1", ann),
		"another value": hashes(t, k, "r-1", object{"email": "bob@acme.example"}),
		"another type":  hashes(t, k, "r-1", object{"email": []any{"ann@acme.example"}, "n": "12345678901234567890"}),
	} {
		for path, h := range other {
			if h == got[path] {
				t.Errorf("%s: %s has the same hash", name, path)
			}
		}
	}
	same := hashes(t, k, "r-1", object{"a": "x", "b": "x"})
	if same["/a"] == same["/b"] {
		t.Error("one value at two paths has one hash: who knows a value finds it anywhere")
	}
}

func TestNothingKept(t *testing.T) {
	full := keeper(t, identity.ClaimsFull, key("a", 1))
	for name, kept := range map[string]*identity.KeptClaims{
		"no keeper": (*claimlog.Keeper)(nil).Keep("r-1", "s-ann", ann),
		"off":       keeper(t, identity.ClaimsOff, key("a", 1)).Keep("r-1", "s-ann", ann),
		"no claims": full.Keep("r-1", "s-ann", nil),
	} {
		if kept != nil {
			t.Errorf("%s: %+v", name, kept)
		}
	}
}

func TestBound(t *testing.T) {
	many := make([]any, 100_000)
	for name, claims := range map[string]object{"long": {"a": strings.Repeat("x", claimlog.MaxSize)}, "many": {"a": many}} {
		for _, mode := range []identity.ClaimsMode{identity.ClaimsFull, identity.ClaimsHashed} {
			if mode == identity.ClaimsHashed && name == "long" {
				continue // one hash, however long the value
			}
			k := keeper(t, mode, key("a", 1))
			r := identity.Record{ID: "r-1", Claims: k.Keep("r-1", "s-ann", claims)}
			if r.Claims == nil || r.Claims.Data != nil {
				t.Fatalf("%s, %s: %d bytes kept", name, mode, len(r.Claims.Data))
			}
			if _, err := k.Open(r); err == nil || !strings.Contains(err.Error(), "left out") {
				t.Errorf("%s, %s: %v", name, mode, err)
			}
		}
	}
}

func TestBadKeys(t *testing.T) {
	for name, c := range map[string]struct {
		mode identity.ClaimsMode
		keys []claimlog.Key
	}{
		"no key, hashed": {identity.ClaimsHashed, nil},
		"no key, full":   {identity.ClaimsFull, nil},
		"short":          {identity.ClaimsOff, []claimlog.Key{{ID: "a", Secret: []byte("canary")}}},
		"twice":          {identity.ClaimsFull, []claimlog.Key{key("a", 1), key("a", 2)}},
	} {
		if _, err := claimlog.New(c.mode, c.keys); err == nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

package main

import (
	"encoding/base64"
	"fmt"
	"slices"
	"time"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/internal/claimlog"
)

// claimKey is one of decisions.keys.
type claimKey struct {
	id    string
	value secret
}

// maxKeyID bounds the id of a key, in bytes: every record holds it.
const maxKeyID = 64

func (r *configReader) decisions(d decisionsSection, c *config) {
	if d.Retention != nil {
		c.retention = time.Duration(*d.Retention)
	}
	for _, k := range d.Keys {
		if k.ID.Value == "" || len(k.ID.Value) > maxKeyID {
			r.wrong(k.ID, "the id of a key has 1 to %d bytes", maxKeyID)
		}
		if slices.ContainsFunc(c.claimKeys, func(o claimKey) bool { return o.id == k.ID.Value }) {
			r.wrong(k.ID, "there is a key %q already", k.ID.Value)
		}
		c.claimKeys = append(c.claimKeys, claimKey{k.ID.Value, r.secret(k.Value)})
	}
	if d.RecordClaims == nil {
		return
	}
	modes := []identity.ClaimsMode{identity.ClaimsOff, identity.ClaimsHashed, identity.ClaimsFull}
	c.recordClaims = identity.ClaimsMode(d.RecordClaims.Value)
	switch {
	case !slices.Contains(modes, c.recordClaims):
		r.wrong(*d.RecordClaims, "%q is none of %q", c.recordClaims, modes)
	case c.recordClaims != identity.ClaimsOff && len(d.Keys) == 0:
		r.wrong(*d.RecordClaims, "claims are kept with a key only: add keys: [{id: \"1\", value: env:NAME}]")
	}
}

// claimLog reads the keys of kept claims.
func (c config) claimLog() (*claimlog.Keeper, error) {
	var keys []claimlog.Key
	for _, k := range c.claimKeys {
		text, err := k.value.read()
		if err != nil {
			return nil, err
		}
		raw, err := base64.StdEncoding.DecodeString(text)
		if err != nil || len(raw) != claimlog.KeySize { // the error's text would quote the key
			at := k.value.at
			return nil, fmt.Errorf("%s:%d:%d: the key %q is not %d bytes in base64: `openssl rand -base64 %d` makes one",
				at.File, at.Line, at.Col, k.id, claimlog.KeySize, claimlog.KeySize)
		}
		keys = append(keys, claimlog.Key{ID: k.id, Secret: raw})
	}
	return claimlog.New(c.recordClaims, keys)
}

package verify

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
)

// attempts bounds how often an identity is mended that others write meanwhile.
const attempts = 3

// identity checks one identity, and mends its keys.
func (c Checker) identity(ctx context.Context, i identity.Identity, mend bool) ([]store.Finding, error) {
	for range attempts {
		findings, after, err := c.check(ctx, i)
		if err != nil || len(findings) == 0 {
			return nil, err
		}
		now, err := c.Store.Get(ctx, i.ID)
		switch {
		case errors.Is(err, store.ErrNotFound):
			return nil, nil
		case err != nil:
			return nil, err
		case now.Revision != i.Revision || !now.RenewedAt.Equal(i.RenewedAt):
			i = now // somebody wrote since it was listed: look again
			continue
		case after == nil || !mend:
			return findings, nil
		}
		done, err := c.mend(ctx, *after)
		if err != nil {
			return nil, err
		}
		if done {
			for n := range findings {
				f := &findings[n]
				f.Mended = f.Code == store.FindingKeyMissing || f.Code == store.FindingKeyStray
			}
			return findings, nil
		}
	}
	findings, _, err := c.check(ctx, i)
	return findings, err
}

// mend writes the identity as it should be. done is false where somebody else
// wrote first.
func (c Checker) mend(ctx context.Context, after identity.Identity) (done bool, err error) {
	err = c.Store.Swap(ctx, after, identity.Record{})
	if first(err) {
		return false, nil
	}
	return err == nil, err
}

// first reports whether err says that somebody else was first.
func first(err error) bool {
	var held *store.TakenError
	var elsewhere *store.ElsewhereError
	return errors.Is(err, store.ErrConflict) || errors.As(err, &held) || errors.As(err, &elsewhere)
}

// check returns what is wrong with an identity, and the identity as mending
// would leave it; nil where mending changes nothing.
func (c Checker) check(ctx context.Context, i identity.Identity) ([]store.Finding, *identity.Identity, error) {
	want := derived(&i)
	keys, findings := kept(&i, want)
	findings = append(findings, c.pending(&i)...)
	lacks := slices.DeleteFunc(slices.Sorted(maps.Keys(want)), func(k identity.Key) bool { return slices.Contains(i.Keys, k) })
	if len(lacks) > 0 {
		holders, err := c.holders(ctx, lacks)
		if err != nil {
			return nil, nil, err
		}
		for _, k := range lacks {
			if others := without(holders[k], i.ID); len(others) > 0 {
				findings = append(findings, taken(i.ID, "the key of "+want[k], others[0]))
				continue
			}
			findings = append(findings, store.Finding{Code: store.FindingKeyMissing, IdentityID: i.ID,
				Text: "it lacks the key of " + want[k] + ", by which logins find it"})
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	if slices.Equal(keys, slices.Sorted(slices.Values(i.Keys))) {
		return findings, nil, nil
	}
	after := i.Clone()
	after.Keys = keys
	after.Revision++
	return findings, &after, nil
}

// kept returns the keys that mending leaves, and what is wrong with the others.
// Whoever is barred keeps the keys of links that were removed: one may be what
// keeps the person from being made anew.
func kept(i *identity.Identity, want map[identity.Key]string) (keys []identity.Key, findings []store.Finding) {
	for _, k := range i.Keys {
		kind := k.Kind()
		if (kind == identity.KeyFed || kind == identity.KeyExt) && want[k] == "" && (!i.Barred() || i.State == identity.StateDeleted) {
			findings = append(findings, store.Finding{Code: store.FindingKeyStray, IdentityID: i.ID,
				Text: "it holds a " + kind + " key of none of its links and external ids, so that somebody is refused"})
			continue
		}
		keys = append(keys, k)
	}
	return keys, findings
}

// derived returns the keys that follow from links and external ids, and the
// words for what each is the key of.
func derived(i *identity.Identity) map[identity.Key]string {
	out := map[identity.Key]string{}
	if i.State == identity.StateDeleted { // what is left of it is no person's any more
		return out
	}
	for _, l := range i.Links {
		out[identity.FedKey(l.Issuer, l.Subject)] = "its link to the provider " + l.Provider
	}
	for _, e := range i.ExternalIDs {
		out[identity.ExtKey(e)] = "its id of " + e.System + "/" + e.Instance
	}
	return out
}

func (c Checker) pending(i *identity.Identity) []store.Finding {
	since := i.PendingSince()
	if i.State != identity.StatePending || c.Now().Sub(since) <= identity.PendingTime {
		return nil
	}
	return []store.Finding{{Code: store.FindingPendingOld, IdentityID: i.ID,
		Text: "it is pending since " + since.UTC().Format(time.RFC3339) + ": the identity server never acknowledged it; the person's next sign-in uses it"}}
}

package doctor

import (
	"fmt"
	"slices"
	"time"

	"github.com/jithook/jithook/identity"
)

// Page is a page of records, newest first. More says that older ones follow.
type Page struct {
	Records []identity.Record
	More    bool
}

// WithFirst returns the newest records and, behind them, older ones of prepare, as far
// back as first has them all: its pages are of one decision each.
func WithFirst(newest Page, first []Page) []identity.Record {
	all := slices.Clone(newest.Records)
	if !newest.More || len(all) == 0 {
		return all
	}
	until := all[len(all)-1].At
	var since time.Time
	var older []identity.Record
	for _, p := range first {
		switch n := len(p.Records); {
		case p.More && n == 0:
			return all
		case p.More && p.Records[n-1].At.After(since):
			since = p.Records[n-1].At
		}
		older = append(older, p.Records...)
	}
	older = slices.DeleteFunc(older, func(r identity.Record) bool {
		return r.Hook != identity.HookPrepare || !r.At.Before(until) || r.At.Before(since)
	})
	slices.SortStableFunc(older, func(a, b identity.Record) int { return b.At.Compare(a.At) })
	return append(all, older...)
}

// Recent returns what the newest decision at each hook about each provider says
// of the set-up, of those that were asked for by one of callers, the keys of one
// Kratos; records are newest first. Whatever was mended since is found until
// somebody signs in. What candidates for the providers' files would have decided
// says nothing of those in force.
func Recent(records []identity.Record, callers []string) []Finding {
	var found []Finding
	seen := map[string]bool{}
	for _, r := range records {
		at := r.Provider + "\n" + string(r.Hook)
		if seen[at] || r.Decision == identity.Shadowed || !slices.Contains(callers, r.Caller) ||
			r.Hook == identity.HookGeneric || r.Hook == identity.HookAdmin || r.Hook == identity.HookSweep {
			continue
		}
		seen[at] = true
		for _, reason := range r.Reasons {
			// A released Kratos has no claims at the login of somebody it knows.
			if r.Hook == identity.HookLogin && reason.Code == identity.CodeClaimsAbsent {
				continue
			}
			if code := setUp(reason.Code); code != "" {
				found = append(found, Finding{code, nil, fmt.Sprintf("decision %s about provider %q: %s", r.ID, r.Provider, reason.Code)})
				break
			}
		}
	}
	return found
}

// setUp returns what a reason says of the set-up; "" if it says something of the
// person alone.
func setUp(code identity.Code) Code {
	switch code {
	case identity.CodeClaimsAbsent:
		return CodeClaimsMissing
	case identity.CodeUnknownProvider, identity.CodeCallerScope:
		return CodeProviderUnknown
	case identity.CodeIssuerUnknown:
		return CodeIssuerDiffers
	case identity.CodeDeadlineExceeded:
		return CodeDecisionLate
	case identity.CodeStoreUnavailable:
		return CodeStoreAway
	}
	return ""
}

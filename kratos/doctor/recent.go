package doctor

import (
	"fmt"

	"github.com/jithook/jithook/identity"
)

// Recent returns what the newest decision at each hook about each provider says
// of the set-up; records are newest first. Whatever was mended since is found
// until somebody signs in.
func Recent(records []identity.Record) []Finding {
	var found []Finding
	seen := map[string]bool{}
	for _, r := range records {
		at := r.Provider + "\n" + string(r.Hook)
		if seen[at] || r.Hook == identity.HookGeneric || r.Hook == identity.HookAdmin || r.Hook == identity.HookSweep {
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

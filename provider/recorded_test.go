package provider_test

// A set for logins that are decided again answers every question as the set that
// it was made of: else the same login is decided otherwise the second time.

import (
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/jithook/jithook/provider"
)

func TestRecordedSetAnswersTheSame(t *testing.T) {
	set, problems := loader(t).Load(fstest.MapFS{"b.yaml": named("globex"), "a.yaml": {Data: []byte(`version: 1
provider: acme
issuer: https://id.acme.example
jit:
  enabled: true
  userstore: default
  account_lookup: [{local: /traits/email, federated: claims.email}]
  limits: {max_group_removals: 5}
  inactive_after: 90d
traits:
  email: {value: claims.email, verified: claims.email_verified, canonical: email, unique: true}
`)}})
	if problems != nil {
		t.Fatal(problems)
	}
	type answers struct {
		All, OfIssuer, Holding []string
		LooksUp, Leases        bool
		Len                    int
	}
	ask := func(s *provider.Set) answers {
		ids := func(all []*provider.Provider) (names []string) {
			for _, p := range all {
				if own, ok := s.Get(p.ID); !ok || own != p {
					t.Errorf("%s: the list has another one than the set", p.ID)
				}
				names = append(names, p.ID)
			}
			return names
		}
		return answers{ids(s.All()), ids(s.OfIssuer("https://id.acme.example")), s.Holding(), s.LooksUp("/email"), s.Leases(), s.Len()}
	}
	want := answers{[]string{"acme", "globex"}, []string{"acme"}, []string{"acme"}, true, true, 2}
	for name, s := range map[string]*provider.Set{"loaded": set, "recorded": set.Recorded()} {
		if diff := cmp.Diff(want, ask(s)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

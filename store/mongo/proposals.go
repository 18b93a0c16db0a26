package mongo

import "github.com/jithook/jithook/identity"

type matchDoc struct {
	Rule      string `bson:"rule"`
	Path      string `bson:"path"`
	StoredBy  string `bson:"stored_verified_by"`
	ClaimedBy string `bson:"claim_verified_by"`
}

type proposalDoc struct {
	Provider   string    `bson:"provider"`
	Issuer     string    `bson:"issuer"`
	Subject    string    `bson:"subject"`
	Credential string    `bson:"credential"`
	State      string    `bson:"state"`
	At         string    `bson:"at"`
	Expires    string    `bson:"expires"`
	Match      *matchDoc `bson:"match,omitempty"`
}

// encodeMatch returns nil for the empty match: most links have none.
func encodeMatch(m identity.Match) *matchDoc {
	if m == (identity.Match{}) {
		return nil
	}
	doc := matchDoc(m)
	return &doc
}

func decodeMatch(d *matchDoc) identity.Match {
	if d == nil {
		return identity.Match{}
	}
	return identity.Match(*d)
}

func encodeProposals(w *stampWriter, i *identity.Identity) []proposalDoc {
	return convert(i.Proposals, func(p identity.Proposal) proposalDoc {
		return proposalDoc{p.Provider, p.Issuer, p.Subject, p.Credential, string(p.State), w.stamp(p.At), w.stamp(p.Expires), encodeMatch(p.Match)}
	})
}

func decodeProposals(r *stampReader, docs []proposalDoc) []identity.Proposal {
	return convert(docs, func(d proposalDoc) identity.Proposal {
		return identity.Proposal{
			Provider: d.Provider, Issuer: d.Issuer, Subject: d.Subject, Credential: d.Credential,
			State: identity.ProposalState(d.State), At: r.time(d.At), Expires: r.time(d.Expires), Match: decodeMatch(d.Match),
		}
	})
}

package mongo

import "github.com/jithook/jithook/identity"

type holdDoc struct {
	ID     string     `bson:"id"`
	Source string     `bson:"source"`
	At     string     `bson:"at"`
	Groups []groupDoc `bson:"groups"`
}

func encodeHolds(w *stampWriter, i *identity.Identity) []holdDoc {
	return convert(i.Holds, func(h identity.Hold) holdDoc {
		return holdDoc{h.ID, h.Source, w.stamp(h.At), convert(h.Groups, func(g identity.Group) groupDoc { return groupDoc(g) })}
	})
}

func decodeHolds(r *stampReader, docs []holdDoc) []identity.Hold {
	return convert(docs, func(d holdDoc) identity.Hold {
		return identity.Hold{
			ID: d.ID, Source: d.Source, At: r.time(d.At),
			Groups: convert(d.Groups, func(g groupDoc) identity.Group { return identity.Group(g) }),
		}
	})
}

package mongo

import (
	"reflect"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/jithook/jithook/identity"
)

// decisionDoc is a document of the collection decisions.
type decisionDoc struct {
	ID     string    `bson:"_id"`
	Record recordDoc `bson:",inline"`
	// Writes names the writes of identities whose journals brought this
	// record, so that none brings it twice; see journal.go.
	Writes []string `bson:"writes,omitempty"`
}

// recordDoc is an identity.Record without its id. Nearly all records are those of
// logins that changed nothing, with half of their fields empty: these are left out.
type recordDoc struct {
	At          string      `bson:"at"`
	Hook        string      `bson:"hook"`
	Caller      string      `bson:"caller"`
	Provider    string      `bson:"provider"`
	Issuer      string      `bson:"issuer"`
	SubjectKey  string      `bson:"subject_key"`
	IdentityID  string      `bson:"identity_id"`
	Userstore   string      `bson:"userstore"`
	Decision    string      `bson:"decision"`
	Reasons     []reasonDoc `bson:"reasons"`
	Rule        string      `bson:"rule,omitempty"`
	Policy      string      `bson:"policy"`
	Source      string      `bson:"claims_source"`
	Normalised  bool        `bson:"claims_normalised,omitempty"`
	Change      []changeDoc `bson:"changes,omitempty"`
	Claims      *claimsDoc  `bson:"claims,omitempty"`
	Shadow      *shadowDoc  `bson:"shadow,omitempty"`
	FlowID      string      `bson:"flow_id,omitempty"`
	DeliveryID  string      `bson:"delivery_id,omitempty"`
	RequestID   string      `bson:"request_id"`
	Duration    int64       `bson:"duration_ns"`
	CommittedAt string      `bson:"committed_at,omitempty"`
	// Notable is true but where nothing changed: what is left is few enough for an
	// index.
	Notable bool `bson:"notable,omitempty"`
}

// absent are the fields of d that are left out.
func (d recordDoc) absent() bson.D {
	fields := bson.D{}
	v := reflect.ValueOf(d)
	for n := range v.NumField() {
		name, how, _ := strings.Cut(v.Type().Field(n).Tag.Get("bson"), ",")
		if f := v.Field(n); how == "omitempty" && (f.IsZero() || f.Kind() == reflect.Slice && f.Len() == 0) {
			fields = append(fields, bson.E{Key: name, Value: ""})
		}
	}
	return fields
}

// replaces is the update that makes a record what d says, and leaves the rest of
// its document.
func (d recordDoc) replaces() bson.D {
	update := bson.D{{Key: "$set", Value: d}}
	if absent := d.absent(); len(absent) > 0 {
		update = append(update, bson.E{Key: "$unset", Value: absent})
	}
	return update
}

type reasonDoc struct {
	Code string `bson:"code"`
	Text string `bson:"text"`
	Path string `bson:"path,omitempty"`
	Rule string `bson:"rule,omitempty"`
}

type changeDoc struct {
	Path string `bson:"path"`
	Op   string `bson:"op"`
}

type claimsDoc struct {
	Mode  string `bson:"mode"`
	KeyID string `bson:"key_id"`
	Data  []byte `bson:"data"`
}

type shadowDoc struct {
	Of       string   `bson:"of"`
	Decision string   `bson:"decision"`
	Kinds    []string `bson:"kinds"`
}

// encodeRecord returns the document of r without its id. The ids that a caller
// sent along are a stranger's text: what is not UTF-8 in them is replaced,
// since other readers of the database would fail on it.
func encodeRecord(r identity.Record) (recordDoc, error) {
	if r.ID == "" {
		return recordDoc{}, errNoID
	}
	var w stampWriter
	doc := recordDoc{
		At: w.stamp(r.At), Hook: string(r.Hook), Caller: r.Caller, Provider: r.Provider, Issuer: r.Issuer,
		SubjectKey: string(r.SubjectKey), IdentityID: r.IdentityID, Userstore: r.Userstore, Decision: string(r.Decision),
		Reasons: convert(r.Reasons, func(x identity.Reason) reasonDoc {
			return reasonDoc{string(x.Code), x.Text, x.Path, x.Rule}
		}),
		Rule: r.Rule, Policy: r.Policy, Source: r.Source, Normalised: r.Normalised,
		Change: convert(r.Change, func(c identity.Change) changeDoc { return changeDoc(c) }),
		FlowID: utf8Only(r.FlowID), DeliveryID: utf8Only(r.DeliveryID), RequestID: utf8Only(r.RequestID),
		Duration: int64(r.Duration), CommittedAt: w.stamp(r.CommittedAt), Notable: r.Decision != identity.Unchanged,
	}
	if c := r.Claims; c != nil {
		doc.Claims = &claimsDoc{string(c.Mode), c.KeyID, c.Data}
	}
	if s := r.Shadow; s != nil {
		doc.Shadow = &shadowDoc{s.Of, string(s.Decision), s.Kinds}
	}
	return doc, w.err
}

// decodeRecord undoes encodeRecord.
func decodeRecord(d decisionDoc) (identity.Record, error) {
	var t stampReader
	c := d.Record
	r := identity.Record{
		ID: d.ID, At: t.time(c.At), Hook: identity.Hook(c.Hook), Caller: c.Caller, Provider: c.Provider, Issuer: c.Issuer,
		SubjectKey: identity.Key(c.SubjectKey), IdentityID: c.IdentityID, Userstore: c.Userstore, Decision: identity.Decision(c.Decision),
		Reasons: convert(c.Reasons, func(x reasonDoc) identity.Reason {
			return identity.Reason{Code: identity.Code(x.Code), Text: x.Text, Path: x.Path, Rule: x.Rule}
		}),
		Rule: c.Rule, Policy: c.Policy, Source: c.Source, Normalised: c.Normalised,
		Change: convert(c.Change, func(x changeDoc) identity.Change { return identity.Change(x) }),
		FlowID: c.FlowID, DeliveryID: c.DeliveryID, RequestID: c.RequestID,
		Duration: time.Duration(c.Duration), CommittedAt: t.time(c.CommittedAt),
	}
	if k := c.Claims; k != nil {
		r.Claims = &identity.KeptClaims{Mode: identity.ClaimsMode(k.Mode), KeyID: k.KeyID, Data: k.Data}
	}
	if s := c.Shadow; s != nil {
		r.Shadow = &identity.Shadow{Of: s.Of, Decision: identity.Decision(s.Decision), Kinds: s.Kinds}
	}
	if t.err != nil {
		return identity.Record{}, damaged("decision record", d.ID)
	}
	return r, nil
}

func utf8Only(s string) string { return strings.ToValidUTF8(s, "\ufffd") }

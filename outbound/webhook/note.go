package webhook

import (
	"cmp"
	"context"
	"encoding/json"

	"github.com/jithook/jithook/identity"
)

// note is what is kept with an identity: what its receiver knows, and what was sent
// to it last, if that has perhaps arrived and perhaps not.
type note struct {
	told

	Sent *told `json:"sent,omitempty"`
}

// readNote returns what a note says: nil for nothing.
func readNote(text string) (known, sent *told) {
	if text == "" {
		return nil, nil
	}
	var n note
	_ = json.Unmarshal([]byte(text), &n) // ours; otherwise it is as if all were new
	if n.State == "" && n.Sent != nil {
		return nil, n.Sent
	}
	return &n.told, n.Sent
}

func writeNote(known, sent *told) string {
	n := note{Sent: sent}
	if known != nil {
		n.told = *known
	}
	text, _ := json.Marshal(n) // numbers and strings
	return string(text)
}

// plan returns what the receiver knows for sure, and as what it is to be told of the
// identity next: nil if it need not be. The identity becomes that.
func plan(i *identity.Identity, d identity.Delivery) (known, now *told) {
	has, _ := i.Resource(d.Target)
	known, sent := readNote(has.Told)
	if i.State == identity.StateSuspended && (known.gone() || sent.gone()) {
		// Whether they go there again may be unknown. Until they are active they are
		// gone, and nothing is told of them.
		i.State = identity.StateDeprovisioned
	}
	now = toldOf(i)
	if last := cmp.Or(sent, known); last != nil && last.Revision == now.Revision {
		if now.Turn = last.Turn; last.State != now.State {
			now.Turn++ // by rules, or files, that have changed
		}
	}
	if !d.Again && known != nil && known.says(now) && (sent == nil || sent.same(known)) {
		return known, nil // told already, or none of the receiver's business any more
	}
	if now.Events = events(known, sent, now); sent != nil && sent.same(now) && len(sent.Events) > 0 {
		now.Events = sent.Events
	}
	return known, now
}

// same reports whether two were told by the same message.
func (t *told) same(other *told) bool { return t.Revision == other.Revision && t.Turn == other.Turn }

// gone reports whether it was told that somebody does not go there any more.
func (t *told) gone() bool { return t != nil && t.State == identity.StateDeprovisioned }

// says reports whether who was told t need not be told now.
func (t *told) says(now *told) bool {
	return t.State == now.State && (t.Revision == now.Revision || now.gone())
}

// Intend implements outbound.Intender: should the reply be lost, what was sent may
// have arrived, and must not be contradicted by another message with its id, nor by
// none.
func (c *Connector) Intend(_ context.Context, i identity.Identity, d identity.Delivery) identity.Resource {
	has, _ := i.Resource(d.Target)
	if known, now := plan(&i, d); now != nil {
		has.Told = writeNote(known, now)
	}
	return has
}

package scim

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"slices"

	"github.com/jithook/jithook/identity"
)

// maxNames bounds how many names are noted: more are no clearer.
const maxNames = 16

// note is what is kept with an identity of what the target was told, beside the
// account's id and the names of groups. It holds no value.
type note struct {
	// Names are those under which an account may have been made whose id is not
	// known, since the reply was lost: their hashes, which are another identity's
	// for the same name.
	Names []string `json:"names,omitempty"`
	// Groups are the ids of groups by the names under which they were granted:
	// the target's people may give them others.
	Groups map[string]string `json:"groups,omitempty"`
}

func readNote(text string) note {
	var n note
	_ = json.Unmarshal([]byte(text), &n) // ours, or empty
	if n.Groups == nil {
		n.Groups = map[string]string{}
	}
	return n
}

// text is what readNote reads. After a failure the empty note is one, too: it is
// known that nothing may have been made.
func (n note) text(failed bool) string {
	if !failed && len(n.Names)+len(n.Groups) == 0 {
		return ""
	}
	text, _ := json.Marshal(n) // it always can be
	return string(text)
}

// named notes a name, and reports whether it is news.
func (n *note) named(hash string) bool {
	if slices.Contains(n.Names, hash) || len(n.Names) >= maxNames {
		return false
	}
	n.Names = append(n.Names, hash)
	return true
}

func (n *note) unnamed(hash string) {
	n.Names = slices.DeleteFunc(n.Names, func(h string) bool { return h == hash })
}

// others reports whether an account may have been made by another name.
func (n *note) others(hash string) bool {
	return slices.ContainsFunc(n.Names, func(h string) bool { return h != hash })
}

// hash is what is noted of a userName.
func (t *task) hash(name string) string {
	h := hmac.New(sha256.New, []byte(t.identity.ID))
	_, _ = h.Write([]byte(name))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:16])
}

// Intend implements outbound.Intender: an account may be about to be made, and if
// the reply is lost and the name then changes, the new one does not find it. A dry
// run grants and makes nothing.
func (c *Connector) Intend(ctx context.Context, i identity.Identity, d identity.Delivery) identity.Resource {
	has, _ := i.Resource(d.Target)
	if c.DryRun {
		return has
	}
	if c.Groups != GroupsNone {
		has.Groups = i.GroupNames()
	}
	if i.Barred() {
		return has
	}
	t := task{Connector: c, identity: i, note: readNote(has.Told)}
	name, err := t.userName(ctx)
	if err != nil {
		return has // nor can an account be made then
	}
	t.note.named(t.hash(name))
	has.Told = t.note.text(true)
	return has
}

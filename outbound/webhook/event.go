package webhook

import (
	"fmt"
	"slices"
	"time"

	"github.com/jithook/jithook/identity"
)

// Version is the version of Data. A field may be added to it; what changes
// otherwise gets another number.
const Version = 1

// Event is what a message reports.
type Event string

// The closed list of events, the weightiest first: of several that a message
// tells together, the first is its type.
const (
	Deleted       Event = "identity.deleted"
	Created       Event = "identity.created"
	Deprovisioned Event = "identity.deprovisioned"
	Suspended     Event = "identity.suspended"
	Activated     Event = "identity.activated"
	Unlinked      Event = "identity.unlinked"
	Linked        Event = "identity.linked"
	Updated       Event = "identity.updated"
)

// Events returns the closed list.
func Events() []Event {
	return []Event{Deleted, Created, Deprovisioned, Suspended, Activated, Unlinked, Linked, Updated}
}

// Message is the body: Standard Webhooks 1.0.0, "Payload structure".
type Message struct {
	Type Event `json:"type"`
	// Timestamp is when the identity came to be as it is told.
	Timestamp time.Time `json:"timestamp"`
	Data      Data      `json:"data"`
}

// Data is the identity as it is when the message is made, and all that has
// happened to it since the message before; that it was updated only where nothing
// else has: no value is kept to compare with.
type Data struct {
	Version  int      `json:"version"`
	Events   []Event  `json:"events"`
	Identity Identity `json:"identity"`
}

// Identity is what a receiver learns about a person. Subjects are not among it:
// who knows them may sign in as the person somewhere.
type Identity struct {
	ID        string         `json:"id"`
	Userstore string         `json:"userstore"`
	State     identity.State `json:"state"`
	Traits    map[string]any `json:"traits"`
	Groups    []string       `json:"groups"`
	Providers []string       `json:"providers"`
	Revision  int64          `json:"revision"`
	CreatedAt time.Time      `json:"created_at"`
	UpdatedAt time.Time      `json:"updated_at"`
}

// told is what a receiver knows of an identity, as far as events depend on it.
type told struct {
	Revision int64          `json:"revision"`
	State    identity.State `json:"state"`
	Links    []identity.Key `json:"links"`
	// Turn is how often this revision was told with another state before.
	Turn int `json:"turn,omitempty"`
	// Events are those of a message that is under way: sent again, it says the same.
	Events []Event `json:"events,omitempty"`
}

// id is the message's: the same for the same content alone.
func (t told) id(identityID string) string {
	id := fmt.Sprintf("%s.%d", identityID, t.Revision)
	if t.Turn > 0 {
		id += fmt.Sprintf(".%d", t.Turn)
	}
	return id
}

func toldOf(i *identity.Identity) *told {
	t := &told{Revision: i.Revision, State: i.State, Links: []identity.Key{}}
	for _, l := range i.Links {
		t.Links = append(t.Links, identity.FedKey(l.Issuer, l.Subject))
	}
	slices.Sort(t.Links)
	return t
}

// events are what has happened since known, nil if nobody was told yet, and since
// what was sent and has perhaps arrived, nil if nothing. A note that cannot be read
// is none of ours: then it is an update.
func events(known, sent, now *told) []Event {
	switch {
	case now.State == identity.StateDeleted: // of the rest nobody needs to know any more
		return []Event{Deleted}
	case known == nil:
		return []Event{Created}
	}
	happened := map[Event]bool{}
	for _, before := range []*told{known, sent} {
		if before == nil {
			continue
		}
		if before.State != now.State {
			switch now.State {
			case identity.StateDeprovisioned:
				happened[Deprovisioned] = true
			case identity.StateSuspended:
				happened[Suspended] = true
			default:
				happened[Activated] = true
			}
		}
		if slices.ContainsFunc(before.Links, func(k identity.Key) bool { return !slices.Contains(now.Links, k) }) {
			happened[Unlinked] = true
		}
		if slices.ContainsFunc(now.Links, func(k identity.Key) bool { return !slices.Contains(before.Links, k) }) {
			happened[Linked] = true
		}
	}
	var all []Event
	for _, e := range Events() {
		if happened[e] {
			all = append(all, e)
		}
	}
	if all == nil {
		all = []Event{Updated}
	}
	return all
}

func newMessage(i *identity.Identity, happened []Event) Message {
	v := Identity{
		ID: i.ID, Userstore: i.Userstore, State: i.State, Traits: i.Traits, Groups: []string{}, Providers: []string{},
		Revision: i.Revision, CreatedAt: i.CreatedAt.UTC(), UpdatedAt: i.UpdatedAt.UTC(),
	}
	if v.Traits == nil || i.State == identity.StateDeprovisioned {
		// Who goes there no more is not told about either.
		v.Traits = map[string]any{}
	}
	if i.State != identity.StateDeprovisioned {
		v.Groups = i.GroupNames()
	}
	for _, l := range i.Links {
		v.Providers = append(v.Providers, l.Provider)
	}
	slices.Sort(v.Providers)
	v.Providers = slices.Compact(v.Providers)
	return Message{Type: happened[0], Timestamp: v.UpdatedAt, Data: Data{Version: Version, Events: happened, Identity: v}}
}

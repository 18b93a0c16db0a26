package outbound

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"time"

	"github.com/jithook/jithook/store"
)

// firstTime is for how long a process that was first is the only one. One that
// dies is succeeded then.
const firstTime = 10 * time.Minute

// Receipts is what Election needs of a userstore; see store.Store.
type Receipts interface {
	Receive(ctx context.Context, r store.Receipt) (store.Receipt, error)
}

// Election chooses one of the processes that share a userstore, for each thing
// that must be made once and whose target does not see to that.
type Election struct {
	Store Receipts
	// Process is this process's own random name.
	Process string
	Now     func() time.Time
}

// First reports whether this process is the one to make the thing, which may be
// asked again: it is for ten minutes of the clock, until the next are chosen
// for. Whoever is chosen looks first whether it is there.
func (e Election) First(ctx context.Context, what string) (bool, error) {
	slot := e.Now().UTC().Truncate(firstTime)
	sum := sha256.Sum256(fmt.Appendf(nil, "first to make %q from %s", what, slot.Format(time.RFC3339)))
	key := "first:" + base64.RawURLEncoding.EncodeToString(sum[:])
	noted, err := e.Store.Receive(ctx, store.Receipt{Key: key, Digest: key, DecisionID: e.Process, Expires: slot.Add(firstTime)})
	return err == nil && noted.DecisionID == e.Process, err
}

package store

import "time"

// Receipt remembers a message that a caller has signed, so that the same one is
// not taken for another when it comes again.
type Receipt struct {
	// Key stands for the message: for who signed it and its id among theirs.
	Key string
	// Digest is that of its content. It tells whether the id was used twice.
	Digest string
	// DecisionID is the id of the decision about it, which was made up before
	// anybody decided.
	DecisionID string
	// Expires is when nobody can send it any more.
	Expires time.Time
}

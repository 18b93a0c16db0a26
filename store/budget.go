package store

import "time"

// Budget is how often something may happen in a time.
type Budget struct {
	// Key stands for what happens.
	Key string
	// From is when the time began. A later one counts anew, and an earlier one
	// counts in the latest that there was.
	From  time.Time
	Limit int
}

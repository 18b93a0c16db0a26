package main

import "time"

// now is the server's clock: whatever it decides by the time reads it here.
// Tests that need a replica whose clock is off build one with another file in
// this one's place.
func now() time.Time { return time.Now() }

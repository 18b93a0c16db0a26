package main

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/jithook/jithook/replay"
)

// TestReplayOfTooLittle: a replay passes only if it saw most of what it was asked
// for, and that more differs than may is said first.
func TestReplayOfTooLittle(t *testing.T) {
	through := time.Date(2026, 11, 28, 9, 0, 0, 0, time.UTC)
	left := func(why replay.Left, n int) map[replay.Left]int { return map[replay.Left]int{why: n} }
	for name, c := range map[string]struct {
		sum         replay.Summary
		exceeded    []replay.Kind
		want, shows string
	}{
		"all":               {sum: replay.Summary{Logins: 4, Replayed: 4}},
		"half":              {sum: replay.Summary{Logins: 4, Replayed: 2, LeftOut: left(replay.LeftUnreadable, 2)}},
		"less than half":    {sum: replay.Summary{Logins: 5, Replayed: 2, LeftOut: left(replay.LeftUnreadable, 3)}, want: "more logins could not be read (3) than were replayed (2)", shows: "left out: 3 unreadable"},
		"older ones":        {sum: replay.Summary{Logins: 9, Replayed: 1, LeftOut: left(replay.LeftOlder, 8)}},
		"without claims":    {sum: replay.Summary{Logins: 9, Replayed: 1, LeftOut: left(replay.LeftNoClaims, 8)}, shows: "Most of the logins keep no claims"},
		"cut":               {sum: replay.Summary{Logins: 9, Replayed: 9, Cut: true, Through: through}, want: "were not looked at; ask for fewer with --since", shows: "There were more"},
		"cut, and too many": {sum: replay.Summary{Logins: 9, Replayed: 9, Cut: true, Through: through}, exceeded: []replay.Kind{replay.Groups}, want: errNo.Error()},
	} {
		for _, out := range []format{{people: "table"}, {people: "table", json: true}} {
			r := replayed{Summary: c.sum, Exceeded: c.exceeded}
			var printed strings.Builder
			err := r.report(&printed, out, nil)
			if err == nil != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) || (c.exceeded != nil) != errors.Is(err, errNo) {
				t.Errorf("%s, %v: %v, want %q", name, out, err, c.want)
			}
			if !out.json && !strings.Contains(printed.String(), c.shows) {
				t.Errorf("%s: %s lacks %q", name, printed.String(), c.shows)
			}
		}
	}
	if err := (&replayed{}).report(io.Discard, format{people: "table"}, nil); err == nil {
		t.Error("a replay of nothing passes")
	}
}

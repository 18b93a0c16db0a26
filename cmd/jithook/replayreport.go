package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/replay"
)

// report prints what a replay has come to. Its error is errNo where more differs
// than may; that nothing was replayed, or too little to say that no more does, is
// no answer at all.
func (r *replayed) report(w io.Writer, out format, tolerance replay.Tolerance) error {
	if r.Summary.Replayed == 0 {
		return r.nothing()
	}
	document, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if err := out.print(w, document, func(w io.Writer) error { return r.table(w, tolerance) }); err != nil {
		return err
	}
	if len(r.Exceeded) > 0 {
		return errNo
	}
	return r.tooLittle()
}

// tooLittle is the error that a replay saw too little of what it was asked for.
// Logins without claims do not count: nobody may have vouched for any.
func (r *replayed) tooLittle() error {
	switch s := r.Summary; {
	case s.Cut:
		return fmt.Errorf("there were too many logins: those before %s were not looked at; ask for fewer with --since", when(s.Through))
	case s.LeftOut[replay.LeftUnreadable] > s.Replayed:
		return fmt.Errorf("more logins could not be read (%d) than were replayed (%d): are their keys among decisions.keys?", s.LeftOut[replay.LeftUnreadable], s.Replayed)
	}
	return nil
}

func (r *replayed) nothing() error {
	since := when(r.Since)
	switch s := r.Summary; {
	case s.Logins == 0:
		return fmt.Errorf("no login was recorded since %s", since)
	case s.LeftOut[replay.LeftNoClaims] == s.Logins:
		return fmt.Errorf("no record of a login since %s keeps its claims: that takes decisions.record_claims: full", since)
	default:
		return fmt.Errorf("no record of a login since %s keeps claims that can be read: is their key among decisions.keys?", since)
	}
}

func (r *replayed) table(w io.Writer, tolerance replay.Tolerance) error {
	s := r.Summary
	fmt.Fprintf(w, "%d of %d logins since %s replayed%s\n", s.Replayed, s.Logins, when(r.Since), leftOut(s))
	if 2*s.LeftOut[replay.LeftNoClaims] > s.Logins {
		fmt.Fprintln(w, "Most of the logins keep no claims: of those nothing is known.")
	}
	if s.Cut {
		fmt.Fprintf(w, "There were more: those before %s were not looked at.\n", when(s.Through))
	}
	if s.Changed == 0 {
		fmt.Fprintln(w, "Nothing differs.")
		return nil
	}
	fmt.Fprintf(w, "%d differ:\n\n", s.Changed)
	t := newTable(w)
	t.row("KIND", "LOGINS", "ALLOWED", "VERDICT")
	for _, k := range replay.Kinds() {
		if s.Kinds[k] == 0 {
			continue
		}
		verdict := "ok"
		if slices.Contains(r.Exceeded, k) {
			verdict = "too many"
		}
		t.row(string(k), strconv.Itoa(s.Kinds[k]), allowed(tolerance[k]), verdict)
	}
	if err := t.flush(); err != nil {
		return err
	}
	for _, d := range r.Differences {
		fmt.Fprintf(w, "\n%s  %s  %s  %s\n", shown(d.ID), when(d.At), shown(d.Provider), asWhom(d))
		for _, line := range differing(d) {
			fmt.Fprintf(w, "  %s\n", line)
		}
	}
	if len(r.Differences) < s.Differences {
		fmt.Fprintf(w, "\nThere are more: --differences %d\n", s.Differences)
	}
	return nil
}

func allowed(l replay.Limit) string {
	if l.Percent > 0 {
		return strconv.FormatFloat(l.Percent, 'g', -1, 64) + " %"
	}
	return strconv.Itoa(l.Logins)
}

// leftOut says how many logins were not replayed, and why.
func leftOut(s replay.Summary) string {
	var parts []string
	for _, why := range []struct {
		left replay.Left
		text string
	}{
		{replay.LeftOlder, "older than another of the same subject"}, {replay.LeftNoClaims, "without claims"}, {replay.LeftUnreadable, "unreadable"},
	} {
		if n := s.LeftOut[why.left]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, why.text))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return " (left out: " + strings.Join(parts, ", ") + ")"
}

func asWhom(d replay.Difference) string {
	text := "a first login"
	if d.As == replay.Returning {
		text = "as they are today"
	}
	if d.IdentityID != "" {
		text += ", identity " + shown(d.IdentityID)
	}
	return text
}

// differing are the lines that say in what a login differs.
func differing(d replay.Difference) []string {
	var lines []string
	if slices.Contains(d.Kinds, replay.Decision) || slices.Contains(d.Kinds, replay.Code) {
		lines = append(lines, "decision   "+decided(d.Live)+" -> "+decided(d.Candidate))
	}
	marks := map[string]string{identity.OpSet: "~", identity.OpRemove: "-", replay.OpVerify: "verified ", replay.OpUnverify: "unverified "}
	var traits []string
	for _, c := range d.Traits {
		traits = append(traits, marks[c.Op]+shown(c.Path))
	}
	for _, list := range []struct {
		name  string
		parts []string
	}{
		{"traits", traits}, {"groups", signed(d.Gained, d.Lost)}, {"links", signed(d.Linked, d.Unlinked)},
	} {
		if len(list.parts) > 0 {
			lines = append(lines, fmt.Sprintf("%-9s  %s", list.name, strings.Join(list.parts, " ")))
		}
	}
	if slices.Contains(d.Kinds, replay.Links) && len(d.Linked)+len(d.Unlinked) == 0 {
		lines = append(lines, "links      another identity")
	}
	if d.Elsewhere != "" {
		lines = append(lines, "userstore  -> "+shown(d.Elsewhere))
	}
	return lines
}

func signed(gained, lost []string) []string {
	var all []string
	for _, name := range lost {
		all = append(all, "-"+shown(name))
	}
	for _, name := range gained {
		all = append(all, "+"+shown(name))
	}
	return all
}

func decided(v replay.Verdict) string {
	text := string(v.Decision)
	for _, c := range v.Codes {
		if string(c) != string(v.Decision) {
			text += " " + string(c)
		}
	}
	if v.Name != "" {
		text += " " + shown(v.Name)
	}
	if v.Rule != "" {
		text += " (" + shown(v.Rule) + ")"
	}
	return text
}

// share draws how far back in time a command has come, and how many it has met.
func (p *progress) share(n int, from, through time.Time) {
	whole := p.began.Sub(from)
	if p.w == nil || whole <= 0 || through.IsZero() || now().Sub(p.drawn) < drawEvery {
		return
	}
	p.drawn = now()
	part := min(max(float64(p.began.Sub(through))/float64(whole), 0), 1)
	full := int(part * barWidth)
	fmt.Fprintf(p.w, "%s%s [%s%s] %3d %%  %s  %s", clearLine, p.label, strings.Repeat("=", full), strings.Repeat(" ", barWidth-full),
		int(part*100), p.amount(int64(n)), p.drawn.Sub(p.began).Round(time.Second))
}

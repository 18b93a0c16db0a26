package histories_test

// The model: what jithook should hold of some people, told in maps.

import (
	"slices"
	"time"

	"github.com/jithook/jithook/identity"
)

// person is somebody at the provider, and what jithook should hold of them.
type person struct {
	state        identity.State
	mail, name   string
	groups       []string
	byWord       bool // an administrator brought them into the state
	acknowledged bool // the identity server has them
	ext          bool // … under an id that it told
	revision     int64
	dated        time.Time // of the newest dated claims
	received     time.Time // of the newest undated ones
}

func (p *person) barred() bool {
	return p != nil && (p.state == identity.StateSuspended || p.state == identity.StateDeprovisioned)
}

// says is what the provider says at a login. at is zero where nobody dates it.
type says struct {
	mail, name string
	groups     []string
	at         time.Time
}

// rules is a provider's file: those of its lines that the histories edit.
type rules struct{ enabled, groups bool }

// model is all people by subject. Its methods say what a call does to them, and
// which decision it gets.
type model struct {
	now    time.Time
	rules  rules
	people map[string]*person
}

// login is a login of the generic contract, or with prepare Kratos's
// registration before it persists.
func (m *model) login(subject string, s says, prepare bool) identity.Decision {
	p := m.people[subject]
	first := p == nil || p.state == identity.StatePending
	switch {
	case p.barred(), prepare && p != nil && p.ext:
		return identity.Denied
	case !m.rules.enabled && first, m.rules.enabled && s.name == mallory:
		return identity.Denied
	case !m.rules.enabled:
		return identity.Unchanged
	case p != nil && m.stale(p, s.at):
		return m.acknowledge(p, prepare, false, false)
	}
	for other, q := range m.people {
		if other != subject && q.mail == s.mail {
			return identity.Denied
		}
	}
	if !m.rules.groups {
		s.groups = nil
	}
	if p == nil {
		p = &person{state: identity.StateActive, acknowledged: !prepare, revision: 1}
		if prepare {
			p.state = identity.StatePending
		}
		m.people[subject] = p
		m.take(p, s)
		return identity.Created
	}
	changed := p.mail != s.mail || p.name != s.name || !slices.Equal(p.groups, s.groups)
	revision := p.revision
	d := m.acknowledge(p, prepare, false, changed)
	if p.revision > revision {
		m.take(p, s)
	} else if s.at.After(p.dated) {
		p.dated = s.at
	}
	return d
}

// stale reports whether claims of that time are older than what was applied.
func (m *model) stale(p *person, at time.Time) bool {
	return !at.IsZero() && (at.Before(p.dated) || at.Before(p.received))
}

// take applies the claims.
func (m *model) take(p *person, s says) {
	p.mail, p.name, p.groups = s.mail, s.name, s.groups
	if s.at.IsZero() {
		p.received = m.now
	} else {
		p.dated = s.at
	}
}

// acknowledge notes what a login beyond prepare proves, and counts a change.
func (m *model) acknowledge(p *person, prepare, ext, changed bool) identity.Decision {
	d := identity.Updated
	if !prepare && p.state == identity.StatePending {
		p.state, p.byWord, d, changed = identity.StateActive, false, identity.Activated, true
	}
	if ext && !p.ext {
		p.ext, changed = true, true
	}
	if !changed {
		return identity.Unchanged
	}
	p.acknowledged = p.acknowledged || !prepare
	p.revision++
	return d
}

// persisted is a call of Kratos about somebody whom it has: commit, or a login
// without claims. Whom jithook does not know passes, and is not made.
func (m *model) persisted(subject string, commit bool) identity.Decision {
	p := m.people[subject]
	switch {
	case p.barred(), p == nil && commit:
		return identity.Denied
	case p == nil:
		return identity.Unchanged
	}
	return m.acknowledge(p, false, true, false)
}

// edit is what an administrator does to somebody who is there.
func (m *model) edit(subject, what string) identity.Decision {
	p := m.people[subject]
	to := map[string]identity.State{"suspend": identity.StateSuspended, "deprovision": identity.StateDeprovisioned, "activate": identity.StateActive}[what]
	switch {
	case what == "delete":
		delete(m.people, subject)
		return identity.Deleted
	case p.state == to:
		return identity.Unchanged
	case what == "activate" && p.state == identity.StatePending && p.byWord:
		return identity.Unchanged // that is what came of the last activation
	case what == "suspend" && p.state == identity.StateDeprovisioned, what == "activate" && p.state == identity.StatePending:
		return identity.Denied
	case what == "activate" && !p.acknowledged:
		to = identity.StatePending
	case what == "deprovision":
		p.groups = nil
	}
	p.state, p.byWord = to, true
	p.revision++
	if what == "activate" {
		return identity.Activated
	}
	return identity.Updated
}

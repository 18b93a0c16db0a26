//go:build unix

package histories_test

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/provision"
	"github.com/jithook/jithook/store"
	"github.com/jithook/jithook/store/verify"
)

// What holds of every call, whatever came before it.

// change is what a call has made of everybody.
type change struct {
	*estate
	before, after map[string]identity.Identity
	out           provision.Outcome
}

func (c change) failf(rt *rapid.T, format string, args ...any) {
	rt.Helper()
	rt.Fatalf("%s\nanswered %s %v, changes %v, of %s", fmt.Sprintf(format, args...), c.out.Record.Decision, codesOf(c.out.Record), c.out.Record.Change, c.out.Record.IdentityID)
}

func codesOf(r identity.Record) []string {
	var all []string
	for _, why := range r.Reasons {
		all = append(all, strings.TrimSpace(string(why.Code)+" "+why.Path))
	}
	return all
}

// written compares people without when they signed in, which is noted by the way.
var written = gocmp.Options{cmpopts.EquateEmpty(), cmpopts.IgnoreFields(identity.Identity{}, "LastLoginAt"), cmpopts.IgnoreFields(identity.Link{}, "ClaimsTime")}

// touched are the ids of those whom the call changed, made or removed.
func (c change) touched() []string {
	all := maps.Clone(c.before)
	maps.Copy(all, c.after)
	return slices.DeleteFunc(ids(all), func(id string) bool { return gocmp.Equal(c.before[id], c.after[id], written) })
}

// nothing holds that the call wrote nobody.
func (c change) nothing(rt *rapid.T) {
	for _, id := range c.touched() {
		c.failf(rt, "wrote:\n%s", gocmp.Diff(c.before[id], c.after[id]))
	}
}

// refused holds that a refusal wrote nobody, but for the link that it proposes.
func (c change) refused(rt *rapid.T) {
	code := c.out.Record.Reasons[0].Code
	for _, id := range c.touched() {
		b, a := c.before[id], c.after[id]
		if (code == identity.CodeLinkApprovalRequired || code == identity.CodeLinkProtected) && len(a.Proposals) > 0 && a.Revision == b.Revision+1 {
			ignored := cmpopts.IgnoreFields(identity.Identity{}, "Proposals", "Revision", "UpdatedAt", "DecisionID", "Outbox", "LastLoginAt")
			if diff := gocmp.Diff(b, a, ignored); diff != "" {
				c.failf(rt, "refused, and wrote more than a proposal:\n%s", diff)
			}
			continue
		}
		c.failf(rt, "refused, and wrote:\n%s", gocmp.Diff(b, a))
	}
	if c.out.Identity != nil || len(c.out.Emails) > 0 {
		c.failf(rt, "refused, and shows somebody")
	}
}

// login holds what came of a login of whom by describes to the laws. by has no
// subject where nobody can tell.
func (c change) login(rt *rapid.T, l identity.Login, by identity.Offer) {
	r, id := c.out.Record, c.out.Record.IdentityID
	subject := identity.FedKey(by.Issuer, by.Subject)
	file, known := c.files[l.Provider]
	c.bars(rt, l, subject)
	if !r.Decision.Allowed() {
		if r.Decision == identity.Error && !slices.Contains(codesOf(r), string(identity.CodeConflict)) {
			c.failf(rt, "an error of our own")
		}
		c.refused(rt)
		return
	}
	if !known && l.Provider != "" {
		c.failf(rt, "let in by a provider without a file")
	}
	if by.Claims["name"] == "Mallory" && file.enabled && file.deny && (l.Hook == identity.HookGeneric || l.Hook == identity.HookPrepare) {
		c.failf(rt, "let in whom the file denies")
	}
	if c.kratos != nil {
		c.connected(rt, l, by)
	}
	b, was := c.before[id]
	a, is := c.after[id]
	if id == "" {
		c.nothing(rt)
		return
	}
	if !is || a.Barred() || c.out.Identity == nil {
		c.failf(rt, "let in nobody, or somebody barred: %+v", a)
	}
	for _, other := range c.touched() {
		yielded := c.before[other].State == identity.StatePending && c.after[other].ID == "" && r.Decision == identity.Linked
		if other != id && !yielded {
			c.failf(rt, "wrote somebody else:\n%s", gocmp.Diff(c.before[other], c.after[other]))
		}
	}
	if c.out.Unproved && c.out.Identity.ID == "" {
		awaits := cmpopts.IgnoreFields(identity.Identity{}, "Proposals", "Revision", "UpdatedAt", "DecisionID", "Outbox", "LastLoginAt")
		if diff := gocmp.Diff(b, a, awaits); diff != "" || len(a.Proposals) == 0 {
			c.failf(rt, "awaits a proof, and wrote:\n%s", diff)
		}
		return
	}
	if diff := gocmp.Diff(*c.out.Identity, a, written); diff != "" {
		c.failf(rt, "shows another identity than is stored:\n%s", diff)
	}
	if l.Hook != identity.HookLogin && by.Subject != "" && a.Link(by.Issuer, by.Subject) < 0 {
		c.failf(rt, "let in, and not linked")
	}
	if !was {
		if r.Decision != identity.Created || a.Revision != 1 || !file.enabled {
			c.failf(rt, "made %+v", a)
		}
		return
	}
	c.written(rt, b, a, l.Hook)
	c.linking(rt, l, by, b, a)
	c.late(rt, l, b, a)
	c.quiet(rt, l, b, a, file)
}

// bars holds that whoever is barred gets in nowhere, but by what their own
// provider may undo.
func (c change) bars(rt *rapid.T, l identity.Login, subject identity.Key) {
	for _, k := range []identity.Key{subject, identity.ExtKey(l.External)} {
		i, has := holder(c.before, k)
		if !has || !i.Barred() || !c.out.Record.Decision.Allowed() {
			continue
		}
		if c.out.Record.Decision != identity.Activated || !c.MayReturn(&i) || i.StateSource != identity.ProviderSource(l.Provider) {
			c.failf(rt, "let in who is %s by %s", i.State, i.StateSource)
		}
	}
}

// written holds that the record names what has changed of somebody, all of it
// and nothing else; and that the revision counts that.
func (c change) written(rt *rapid.T, b, a identity.Identity, hook identity.Hook) {
	changes := c.out.Record.Change
	if len(changes) == 0 {
		if hook == identity.HookPrepare && b.State == identity.StatePending {
			b.RenewedAt = a.RenewedAt
		}
		if diff := gocmp.Diff(b, a, written); diff != "" {
			c.failf(rt, "says that nothing changed:\n%s", diff)
		}
		return
	}
	if a.Revision != b.Revision+1 {
		c.failf(rt, "revision %d after %d", a.Revision, b.Revision)
	}
	differ := differences(b, a)
	var named []string
	for _, one := range changes {
		// When a link was first used, evidence renewed or a proposal rejected: these
		// are no values.
		about, _, _ := strings.Cut(one.Path[1:], "/")
		if about != "provenance" && about != "proposals" && (about != "links" || slices.Contains(differ, one.Path)) {
			named = append(named, one.Path)
		}
	}
	slices.Sort(named)
	if !slices.Equal(differ, slices.Compact(named)) {
		c.failf(rt, "changed %v:\n%s", differ, gocmp.Diff(b, a))
	}
	for _, target := range c.set.Targets(&a) {
		if at := a.DeliveryTo(target); at < 0 || a.Outbox[at].Revision != a.Revision {
			c.failf(rt, "%s does not learn of it: %+v", target, a.Outbox)
		}
	}
}

// differences are the paths at which two versions of somebody differ.
func differences(b, a identity.Identity) []string {
	paths := map[string]bool{}
	note := func(before, after map[string]any) {
		for _, m := range []map[string]any{before, after} {
			for path := range m {
				if !gocmp.Equal(before[path], after[path]) {
					paths[path] = true
				}
			}
		}
	}
	note(parts(b), parts(a))
	for path := range paths {
		if above := path[:strings.LastIndexByte(path, '/')]; paths[above] {
			delete(paths, path) // gone with what held it
		}
	}
	byKeys := !slices.Equal(b.Keys, a.Keys)
	if byKeys && len(paths) == 0 {
		paths["/keys"] = true
	}
	return slices.Sorted(maps.Keys(paths))
}

// parts are the values in an identity, by path, with who vouches for them.
func parts(i identity.Identity) map[string]any {
	all := map[string]any{"/state": fmt.Sprint(i.State, " by ", i.StateSource)}
	for name, v := range i.Traits {
		by, _ := i.ProvenanceOf("/" + name)
		all["/traits/"+name] = fmt.Sprint(v, by.Source, by.VerifiedBy)
	}
	for _, g := range i.Groups {
		path := "/groups/" + g.Name
		all[path] = fmt.Sprint(all[path], g.Source)
	}
	for _, l := range i.Links {
		all["/links/"+l.Provider] = l.Subject
		if !l.GroupsUnknownSince.IsZero() {
			all["/links/"+l.Provider+"/groups_unknown_since"] = l.GroupsUnknownSince
		}
	}
	for _, x := range i.ExternalIDs {
		all["/external_ids/"+x.System] = x.ID
	}
	for _, h := range i.Holds {
		all["/holds/"+strings.TrimPrefix(h.Source, "provider:")] = h.ID
	}
	for _, y := range i.Consents {
		all["/consents"+y.Path] = fmt.Sprint(all["/consents"+y.Path], y.Version)
	}
	return all
}

// linking holds that nothing but two verified values makes a link at a login,
// and in front of Kratos a proof besides.
func (c change) linking(rt *rapid.T, l identity.Login, by identity.Offer, b, a identity.Identity) {
	for _, link := range a.Links {
		if b.Link(link.Issuer, link.Subject) >= 0 {
			continue
		}
		file := c.files[link.Provider]
		n := b.Proposal(link.Issuer, link.Subject)
		mail, _ := by.Claims["email"].(string)
		stored, _ := b.Traits["email"].(string)
		who, _ := b.ProvenanceOf("/email")
		vouching, trusted := c.files[strings.TrimPrefix(who.VerifiedBy, "provider:")]
		for what, wrong := range map[string]bool{
			"the file does not link":         file.linking != "auto" || !file.enabled || !file.lookup,
			"a second subject":               slices.ContainsFunc(b.Links, func(l identity.Link) bool { return l.Provider == file.id }),
			"of somebody who is not active":  b.State != identity.StateActive,
			"an administrator does not want": n >= 0 && b.Proposals[n].State == identity.ProposalRejected,
			"of who is protected":            file.protected && slices.Contains(b.GroupNames(), "admins"),
			"the record does not say linked": c.out.Record.Decision != identity.Linked,
		} {
			if wrong {
				c.failf(rt, "linked, though: %s\n%+v", what, b)
			}
		}
		if link.Evidence == identity.SourceKratosAdmin {
			if n < 0 || b.Proposals[n].State != identity.ProposalAwaited {
				c.failf(rt, "linked what nobody awaited")
			}
			continue
		}
		for what, wrong := range map[string]bool{
			"no value is verified":             by.Claims["verified"] != true || !file.verifies(mail),
			"no stored value is":               who.VerifiedBy == "" || !trusted || !vouching.verifies(stored),
			"they are two values":              !strings.EqualFold(mail, stored),
			"of another userstore":             !c.apart && b.Userstore != file.userstore,
			"what was verified is 90 days old": c.now.Sub(who.Vouched()) >= 90*24*time.Hour,
		} {
			if wrong {
				c.failf(rt, "linked, though: %s\n%+v", what, b)
			}
		}
	}
}

// late holds that claims which are older than those applied change nothing, and
// that no others are called late.
func (c change) late(rt *rapid.T, l identity.Login, b, a identity.Identity) {
	at := -1
	if len(l.Offers) > 0 {
		at = b.Link(l.Offers[0].Issuer, l.Offers[0].Subject)
	}
	if l.At.IsZero() || at < 0 {
		return
	}
	link := seen{b.ID, b.Links[at].Provider, b.Links[at].LinkedAt}
	newest := b.Links[at].ClaimsTime
	if t := c.newest[link]; t.After(newest) {
		newest = t // they have changed nothing, and are known to this server
	}
	if !l.At.Before(newest) {
		stale := slices.Contains(codesOf(c.out.Record), string(identity.CodeClaimsStale))
		if stale && !l.At.Before(b.Links[at].ReceivedAt) {
			c.failf(rt, "claims of %s are late, the newest are of %s", l.At, newest)
		}
		if c.files[l.Provider].enabled && !stale {
			c.newest[link] = l.At
		}
		return
	}
	if !gocmp.Equal(b.Traits, a.Traits) {
		c.failf(rt, "late claims have changed traits:\n%s", gocmp.Diff(b.Traits, a.Traits))
	}
	c.noGrant(rt, b, a, "late claims")
}

// quiet holds what claims may not change: those of no login, and those of a file
// that leaves people as they are.
func (c change) quiet(rt *rapid.T, l identity.Login, b, a identity.Identity, file draft) {
	if (l.Hook == identity.HookGeneric || l.Hook == identity.HookPrepare) && file.enabled || c.out.Record.Decision == identity.Linked {
		return
	}
	if !gocmp.Equal(b.Traits, a.Traits) {
		c.failf(rt, "traits changed:\n%s", gocmp.Diff(b.Traits, a.Traits))
	}
	c.noGrant(rt, b, a, "no fresh claims")
}

func (c change) noGrant(rt *rapid.T, b, a identity.Identity, why string) {
	for _, g := range a.Groups {
		if !slices.Contains(b.Groups, g) {
			c.failf(rt, "%s have granted %s", why, g.Name)
		}
	}
}

// foreseen holds a plan to what has come.
func (c change) foreseen(rt *rapid.T, planned provision.Outcome) {
	p, r := planned.Record, c.out.Record
	if p.Decision != r.Decision || !gocmp.Equal(codesOf(p), codesOf(r)) || p.Rule != r.Rule || !gocmp.Equal(p.Change, r.Change, cmpopts.EquateEmpty()) {
		c.failf(rt, "planned was %s %v, changes %v", p.Decision, codesOf(p), p.Change)
	}
	if r.Decision != identity.Created && p.IdentityID != r.IdentityID && !c.apart { // of two in two stores, either may be named
		c.failf(rt, "planned of %s", p.IdentityID)
	}
}

// again holds that the same login once more changes nothing.
func (c change) again(rt *rapid.T, first provision.Outcome) {
	r, why := c.out.Record, first.Record.Reasons[0].Code
	if c.kratos != nil && (why == identity.CodeLinkingDisabled || why == identity.CodeSubjectUndeterminable) {
		return // Kratos has been told to forget what was in the way
	}
	if !first.Record.Decision.Allowed() {
		if r.Decision != first.Record.Decision || !gocmp.Equal(codesOf(r), codesOf(first.Record)) {
			c.failf(rt, "first %s %v", first.Record.Decision, codesOf(first.Record))
		}
		c.nothing(rt)
		return
	}
	if slices.Contains(codesOf(first.Record), string(identity.CodeGroupsWithheld)) {
		return // whom the first has made one of the unprotected
	}
	if r.Decision != identity.Unchanged || r.IdentityID != first.Record.IdentityID {
		c.failf(rt, "first %s, changes %v", first.Record.Decision, first.Record.Change)
	}
}

// answeredAgain holds that a message is answered as it was, or refused.
func (c change) answeredAgain(rt *rapid.T, first provision.Outcome) {
	c.nothing(rt)
	r := c.out.Record
	if first.Record.Decision == identity.Error {
		return
	}
	same := r.ID == first.Record.ID && r.Decision == first.Record.Decision && gocmp.Equal(r.Change, first.Record.Change, cmpopts.EquateEmpty())
	if same && r.Decision.Allowed() {
		i := c.after[r.IdentityID]
		if i.Barred() || !slices.Contains(i.Keys, r.SubjectKey) {
			c.failf(rt, "answered as before, and let in %s", i.State)
		}
	}
	if !same && (r.Decision != identity.Denied || r.ID == first.Record.ID) {
		c.failf(rt, "first %s %v", first.Record.Decision, codesOf(first.Record))
	}
}

// edit holds what came of an administrator's edit to the laws.
func (c change) edit(rt *rapid.T) {
	r, id := c.out.Record, c.out.Record.IdentityID
	b, a := c.before[id], c.after[id]
	for _, other := range c.touched() {
		if other != id {
			c.failf(rt, "wrote somebody else:\n%s", gocmp.Diff(c.before[other], c.after[other]))
		}
	}
	switch r.Decision {
	case identity.Denied, identity.Unchanged:
		c.nothing(rt)
	case identity.Deleted:
		if len(a.Keys)+len(a.Links)+len(a.Traits)+len(a.Groups) > 0 || a.ID != "" && a.State != identity.StateDeleted {
			c.failf(rt, "deleted, and left %+v", a)
		}
	default:
		c.written(rt, b, a, identity.HookAdmin)
	}
}

// swept holds what time did to the laws.
func (c change) swept(rt *rapid.T, w provision.Sweep, swept provision.Swept) {
	records := map[string]provision.Outcome{}
	for _, f := range swept.Found {
		if f.Fate == provision.FateDone {
			r, err := c.all.Decision(c.ctx, f.DecisionID)
			if err != nil {
				rt.Fatal(err)
			}
			c.out = provision.Outcome{Record: r}
			c.recorded(rt)
			records[f.IdentityID] = c.out
		}
	}
	for _, id := range c.touched() {
		if records[id].Record.ID == "" {
			c.failf(rt, "the sweep of who is %s wrote, and does not say so:\n%s", w.Rule, gocmp.Diff(c.before[id], c.after[id]))
		}
		b, a := c.before[id], c.after[id]
		c.out = records[id]
		if w.Rule == provision.RulePending && c.kratos != nil && b.State == identity.StatePending && (a.ID == "" || a.State == identity.StateDeleted) {
			continue
		}
		c.written(rt, b, a, identity.HookSweep)
		if a.State != b.State && a.State != identity.StateSuspended {
			c.failf(rt, "the sweep of who is %s made %s of who was %s", w.Rule, a.State, b.State)
		}
	}
}

// lawful holds what is stored to the laws.
func (e *estate) lawful(rt *rapid.T) {
	held := map[identity.Key]string{}
	for id, i := range e.snapshot(rt) {
		for _, k := range i.Keys {
			if held[k] != "" && (!e.apart || k.Kind() != identity.KeyExt) {
				rt.Fatalf("%s and %s hold one %s key", held[k], id, k.Kind())
			}
			held[k] = id
		}
		if wrong := ill(i); wrong != "" {
			rt.Fatalf("%s:\n%+v", wrong, i)
		}
	}
}

// ill says what is wrong with somebody; empty if nothing is.
func ill(i identity.Identity) string {
	mail, _ := i.Traits["email"].(string)
	name, _ := i.Traits["username"].(string)
	by, _ := i.ProvenanceOf("/email")
	named, _ := i.ProvenanceOf("/username")
	mails := slices.ContainsFunc(i.Keys, func(k identity.Key) bool { return k.Kind() == identity.KeyMail })
	names := slices.ContainsFunc(i.Keys, func(k identity.Key) bool { return k.Kind() == identity.KeyName })
	live := i.State != identity.StateDeprovisioned && i.State != identity.StateDeleted
	if i.State == identity.StateDeleted && len(i.Keys)+len(i.Links)+len(i.Traits)+len(i.Groups)+len(i.Proposals)+len(i.Holds) > 0 {
		return "more is left of who was deleted"
	}
	for what, wrong := range map[string]bool{
		"a verified address without its key":  live && mail != "" && by.VerifiedBy != "" && !slices.Contains(i.Keys, identity.MailKey(i.Userstore, strings.ToLower(mail))),
		"an address key without verification": mails && (mail == "" || by.VerifiedBy == ""),
		"a user name without its key":         live && name != "" && named.Source != identity.SourceAdmin && !slices.Contains(i.Keys, identity.NameKey(i.Userstore, "/username", strings.ToLower(name))),
		"a key without a user name":           names && name == "",
		"groups of a closed account":          i.State == identity.StateDeprovisioned && len(i.Groups) > 0,
		"groups in disorder": !slices.IsSortedFunc(i.Groups, func(a, b identity.Group) int {
			return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Source, b.Source))
		}) ||
			len(slices.Compact(slices.Clone(i.Groups))) < len(i.Groups),
		"pending, with an id of the identity server": i.State == identity.StatePending && len(i.ExternalIDs) > 0,
		"two keys of one kind that is one":           count(i.Keys, identity.KeyMail) > 1 || count(i.Keys, identity.KeyName) > 1,
	} {
		if wrong {
			return what
		}
	}
	for _, l := range i.Links {
		if !slices.Contains(i.Keys, identity.FedKey(l.Issuer, l.Subject)) {
			return "a link without its key"
		}
	}
	if fed := count(i.Keys, identity.KeyFed); fed != len(i.Links) && !i.Barred() {
		return "keys of subjects without links"
	}
	for _, g := range i.Groups {
		if g.Source != identity.SourceAdmin && !slices.ContainsFunc(i.Links, func(l identity.Link) bool { return identity.ProviderSource(l.Provider) == g.Source }) {
			return "a group of a provider without a link"
		}
	}
	for _, h := range i.Holds {
		if len(h.Groups) == 0 || slices.ContainsFunc(h.Groups, func(g identity.Group) bool { return !slices.Contains(i.Groups, g) }) {
			return "a hold of groups that are not there"
		}
	}
	paths := map[string]bool{}
	for _, p := range i.Provenance {
		if _, has := i.Trait(p.Path); paths[p.Path] || !has {
			return "provenance of nothing, or twice: " + p.Path
		}
		paths[p.Path] = true
	}
	if len(paths) != len(i.Traits) {
		return "a trait of nobody"
	}
	return ""
}

func count(keys []identity.Key, kind string) int {
	return len(slices.DeleteFunc(slices.Clone(keys), func(k identity.Key) bool { return k.Kind() != kind }))
}

// ledger are the decisions that were answered, by id.
type ledger map[string]entry

type entry struct {
	identity.Record
	later bool // it may be lost
}

// recorded notes what was answered.
func (c change) recorded(rt *rapid.T) {
	r := c.out.Record
	if r.ID == "" || r.Hook == identity.HookCommit && r.Decision.Allowed() { // whose record is prepare's
		return
	}
	later := r.Decision == identity.Error || r.Decision == identity.Unchanged || r.Hook == identity.HookCommit
	c.log[r.ID] = entry{r, later}
}

// lost forgets what a crash took.
func (l ledger) lost(rt *rapid.T, s store.Store) {
	for id, r := range l {
		if _, err := s.Decision(context.Background(), id); err != nil && r.later {
			delete(l, id)
		}
	}
}

// kept holds the records to what was answered, and the store to `store verify`.
func (e *estate) kept(rt *rapid.T) {
	all := e.decisions(rt, store.DecisionQuery{})
	for _, r := range all {
		answered, ok := e.log[r.ID]
		if !ok && r.Reasons[0].Code != identity.CodeYielded && r.CommittedAt.IsZero() {
			rt.Fatalf("a record of nothing: %+v", r)
		}
		if ok && (answered.Decision != r.Decision || answered.IdentityID != r.IdentityID || !gocmp.Equal(codesOf(answered.Record), codesOf(r))) {
			rt.Fatalf("answered %+v, recorded %+v", answered.Record, r)
		}
	}
	for id, r := range e.log {
		if !slices.ContainsFunc(all, func(k identity.Record) bool { return k.ID == id }) {
			rt.Fatalf("without a record: %+v", r.Record)
		}
	}
	for _, q := range []store.DecisionQuery{{FlowID: "f-1"}, {Decision: identity.Denied}, {Decision: identity.Created}} {
		e.selected(rt, all, q)
	}
	for _, id := range providers {
		for _, s := range subjects {
			e.selected(rt, all, store.DecisionQuery{SubjectKey: identity.FedKey(issuerOf(id), e.prefix+s)})
		}
	}
	for id := range e.snapshot(rt) {
		e.selected(rt, all, store.DecisionQuery{IdentityID: id})
	}
	checker := verify.Installation{Home: e.all.Home, Now: func() time.Time { return e.now }}
	for _, p := range e.all.Places() {
		if m, home := p.Store.(*meddled); home {
			p.Store = m.Store
		}
		checker.Stores = append(checker.Stores, verify.Place(p))
	}
	for token, first := "", true; first || token != ""; first = false {
		page, err := checker.Page(e.ctx, token, false)
		if err != nil {
			rt.Fatal(err)
		}
		for _, f := range page.Findings {
			if f.Code != store.FindingPendingOld {
				rt.Fatalf("%+v", f)
			}
		}
		token = page.NextPageToken
	}
}

// selected holds that a question for records finds those that it is about.
func (e *estate) selected(rt *rapid.T, all []identity.Record, q store.DecisionQuery) {
	want := slices.DeleteFunc(slices.Clone(all), func(r identity.Record) bool {
		return q.FlowID != "" && r.FlowID != q.FlowID || q.Decision != "" && r.Decision != q.Decision ||
			q.SubjectKey != "" && r.SubjectKey != q.SubjectKey || q.IdentityID != "" && r.IdentityID != q.IdentityID
	})
	if got := e.decisions(rt, q); !gocmp.Equal(want, got, cmpopts.EquateEmpty()) {
		rt.Fatalf("%+v finds %d of %d", q, len(got), len(want))
	}
}

func (e *estate) decisions(rt *rapid.T, q store.DecisionQuery) []identity.Record {
	var all []identity.Record
	for {
		page, err := e.all.Decisions(e.ctx, q)
		if err != nil {
			rt.Fatal(err)
		}
		all = append(all, page.Records...)
		if q.PageToken = page.NextPageToken; q.PageToken == "" {
			return all
		}
	}
}

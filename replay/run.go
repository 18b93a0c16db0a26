package replay

import (
	"context"
	"crypto/sha256"
	"slices"
	"time"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/internal/claimlog"
	"github.com/jithook/jithook/store"
)

// Records are the decisions that are replayed.
type Records interface {
	Decisions(ctx context.Context, q store.DecisionQuery) (store.DecisionPage, error)
}

// MaxRecords bounds how many records one replay looks at.
const MaxRecords = 1_000_000

// Replay replays recorded logins.
type Replay struct {
	*Pair
	Records Records
	// Claims opens what records keep.
	Claims *claimlog.Keeper
	// Since is how far back records are looked at.
	Since time.Time
	// All replays every login. Otherwise it is the newest of each subject, and
	// the newest that made or linked them: what a provider said before it spoke again does not
	// count any more.
	All bool
	// Workers is how many logins are decided at a time; 0 is one a processor.
	Workers int

	met map[subject]met // newest first
}

// subject tells subjects apart in less memory than their keys, of which a replay may
// meet a million inside a server.
type subject [16]byte

func subjectOf(k identity.Key) (s subject) {
	sum := sha256.Sum256([]byte(k))
	copy(s[:], sum[:])
	return s
}

// met is what was met of a subject.
type met uint8

const (
	newest met = 1 << iota // the newest login
	begun                  // the newest of those that made or linked them
)

// Left says why a login was not replayed.
type Left string

// The closed list of reasons.
const (
	// LeftOlder: another login of the same subject came later.
	LeftOlder Left = "older"
	// LeftNoClaims: the record keeps no claims. Nobody vouched for any, or
	// decisions.record_claims was not full.
	LeftNoClaims Left = "no_claims"
	// LeftUnreadable: the claims were too long, or do not open, or it is not
	// known whose they are.
	LeftUnreadable Left = "unreadable"
)

// Summary counts what a replay has come to.
type Summary struct {
	// Logins were recorded, of which Replayed were decided again; LeftOut says
	// why the others were not.
	Logins   int          `json:"logins"`
	Replayed int          `json:"replayed"`
	LeftOut  map[Left]int `json:"left_out"`
	// Changed are the logins that differ in something, Kinds those that differ
	// in that. Differences are more where one differs as a first login and as it
	// would be today.
	Changed     int          `json:"changed"`
	Kinds       map[Kind]int `json:"kinds"`
	Differences int          `json:"differences"`
	// Through is the time of the oldest record so far.
	Through time.Time `json:"through,omitzero"`
	// Cut says that there were more than MaxRecords.
	Cut bool `json:"cut,omitempty"`
}

// Run replays page after page, the newest records first. step, which may end the
// replay by an error, is told what each page has come to. Errors are the store's
// and the context's, and step's own.
func (r *Replay) Run(ctx context.Context, step func(Summary, []Difference) error) (Summary, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r.met = map[subject]met{}
	sum := Summary{LeftOut: map[Left]int{}, Kinds: map[Kind]int{}}
	for page := range r.pages(ctx) {
		if page.err != nil {
			return sum, page.err
		}
		jobs := r.choose(page.records, &sum)
		found, err := r.play(ctx, jobs, &sum)
		if err == nil {
			err = step(sum, found)
		}
		if err != nil || sum.Cut {
			return sum, err
		}
	}
	return sum, ctx.Err()
}

// page is what was read in one step.
type page struct {
	records []identity.Record
	err     error
}

// pages reads ahead, one page while another is replayed, until ctx ends.
func (r *Replay) pages(ctx context.Context) <-chan page {
	pages := make(chan page, 1)
	send := func(p page) bool {
		select {
		case pages <- p:
			return p.err == nil
		case <-ctx.Done():
			return false
		}
	}
	go func() {
		defer close(pages)
		for q := (store.DecisionQuery{PageSize: store.MaxPageSize}); ; {
			read, err := r.Records.Decisions(ctx, q)
			last := len(read.Records) > 0 && read.Records[len(read.Records)-1].At.Before(r.Since)
			if !send(page{read.Records, err}) || last || read.NextPageToken == "" {
				return
			}
			q.PageToken = read.NextPageToken
		}
	}()
	return pages
}

// job is a record that is replayed, and as which sign-ins of the person.
type job struct {
	record identity.Record
	as     []As
}

// choose chooses which logins of a page are replayed.
func (r *Replay) choose(records []identity.Record, sum *Summary) []job {
	var jobs []job
	for _, rec := range records {
		if !signsIn(rec) || rec.At.Before(r.Since) {
			continue
		}
		if sum.Logins == MaxRecords {
			sum.Cut = true
			break
		}
		sum.Logins++
		sum.Through = rec.At
		if rec.Claims == nil || rec.Claims.Mode != identity.ClaimsFull {
			sum.LeftOut[LeftNoClaims]++
			continue
		}
		j, who := job{record: rec}, subjectOf(rec.SubjectKey)
		before := r.met[who]
		r.met[who] |= newest
		if r.All || before&newest == 0 {
			j.as = append(j.as, Returning)
		}
		if begins(rec) && (r.All || before&begun == 0) {
			j.as = append(j.as, First)
			r.met[who] |= begun
		}
		if len(j.as) == 0 {
			sum.LeftOut[LeftOlder]++
			continue
		}
		jobs = append(jobs, j)
	}
	return jobs
}

// signsIn reports whether a record is that of a sign-in by a provider. What a
// shadow would have made of one was no sign-in.
func signsIn(r identity.Record) bool {
	if r.Decision == identity.Shadowed {
		return false
	}
	switch r.Hook {
	case identity.HookPrepare, identity.HookLogin, identity.HookGeneric:
		return r.Provider != ""
	}
	return false
}

// begins reports whether a login made somebody, or linked its subject to them,
// once they had proved to Kratos who they are or at once.
func begins(r identity.Record) bool {
	awaited := slices.ContainsFunc(r.Reasons, func(why identity.Reason) bool { return why.Code == identity.CodeProofAwaited })
	return r.Decision == identity.Created || r.Decision == identity.Linked || awaited
}

// count adds what was found about one login.
func (s *Summary) count(found []Difference) {
	if len(found) == 0 {
		return
	}
	s.Changed++
	s.Differences += len(found)
	for _, k := range Kinds() {
		for _, d := range found {
			if d.has(k) {
				s.Kinds[k]++
				break
			}
		}
	}
}

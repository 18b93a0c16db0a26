package admin

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"io"
	"io/fs"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/jithook/jithook/hook"
	"github.com/jithook/jithook/internal/problem"
	"github.com/jithook/jithook/provider"
	"github.com/jithook/jithook/replay"
)

const (
	replayPath = "/replay"
	// MaxCandidate bounds the candidate files of a replay, in bytes: as they are
	// sent, and as they are.
	MaxCandidate = 4 << 20
	// MaxDifferences bounds how many differences a replay names; it counts all.
	MaxDifferences = 100_000
	// defaultDifferences is how many it names unless it is asked for others.
	defaultDifferences = 1000
)

// ReplayLine is one line of a replay: how far it has come, a login that differs,
// or the end.
type ReplayLine struct {
	Progress   *replay.Summary    `json:"progress,omitempty"`
	Difference *replay.Difference `json:"difference,omitempty"`
	End        *replay.Summary    `json:"end,omitempty"`
}

// CandidateProblems are why candidate files cannot be replayed.
type CandidateProblems struct {
	Problems []CandidateProblem `json:"problems"`
}

// CandidateProblem is a place in a candidate file, and what is wrong there.
type CandidateProblem struct {
	File    string `json:"file"`
	Line    int    `json:"line,omitempty"`
	Column  int    `json:"column,omitempty"`
	Message string `json:"message"`
}

// replay decides recorded logins again, by the files in force and by those in
// the body, and streams in what they differ.
func (a *API) replay(c echo.Context) error {
	r, most, err := a.replayOf(c)
	if err != nil {
		return err
	}
	if !a.replaying.TryLock() {
		return problem.New(http.StatusConflict, "another replay is under way")
	}
	defer a.replaying.Unlock()
	ctx := unhurried(c)
	candidate, problems, err := a.candidate(c)
	if err != nil {
		return err
	}
	if len(problems) > 0 {
		return c.JSON(http.StatusUnprocessableEntity, problemsOf(problems))
	}
	r.Pair = replay.NewPair(a.Service.Store, a.Providers(), candidate, a.Service.Userstores, a.Service.Now)
	lines := json.NewEncoder(newStream(c, TypeLines))
	lines.SetEscapeHTML(false)
	sum, err := r.Run(ctx, func(sum replay.Summary, found []replay.Difference) error {
		for _, d := range found[:min(len(found), most)] {
			if err := lines.Encode(ReplayLine{Difference: &d}); err != nil {
				return err
			}
		}
		most -= min(len(found), most)
		return lines.Encode(ReplayLine{Progress: &sum})
	})
	if err == nil {
		err = lines.Encode(ReplayLine{End: &sum})
	}
	if err != nil && !c.Response().Committed {
		return fault(err)
	}
	if err != nil { // the reader sees that the end is missing
		a.Log.ErrorContext(ctx, "replay broke off", "error", err, "request_id", hook.RequestID(c))
	}
	return nil
}

// replayOf reads the parameters, and how many differences are named at most.
func (a *API) replayOf(c echo.Context) (*replay.Replay, int, error) {
	if err := known(c, "since", "all", "differences"); err != nil {
		return nil, 0, err
	}
	since, err := time.Parse(time.RFC3339, c.QueryParam("since"))
	if err != nil {
		return nil, 0, problem.New(http.StatusBadRequest, "since is a time, such as 2026-01-31T12:00:00Z")
	}
	all, err := oneOf(c, "all", "true", "false")
	if err != nil {
		return nil, 0, err
	}
	most := defaultDifferences
	if text := c.QueryParam("differences"); text != "" {
		if most, err = strconv.Atoi(text); err != nil || most < 0 || most > MaxDifferences {
			return nil, 0, problem.New(http.StatusBadRequest, "differences is a number from 0 to "+strconv.Itoa(MaxDifferences))
		}
	}
	return &replay.Replay{Records: a.Store, Claims: a.Service.ClaimLog, Since: since, All: all == "true", Workers: a.Replayers}, most, nil
}

// candidate reads the body: a folder of providers' files, as a ZIP archive.
func (a *API) candidate(c echo.Context) (*provider.Set, []provider.Problem, error) {
	data, err := io.ReadAll(http.MaxBytesReader(c.Response(), c.Request().Body, MaxCandidate))
	if err != nil {
		return nil, nil, problem.OfBody(err)
	}
	folder, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, nil, problem.New(http.StatusBadRequest, "the body is no ZIP archive of providers' files")
	}
	// What is packed may be small; a reader of the archive holds a file to its
	// announced size.
	size := uint64(0)
	for _, f := range folder.File {
		if size += f.UncompressedSize64; size > MaxCandidate || f.UncompressedSize64 > MaxCandidate {
			return nil, nil, problem.New(http.StatusRequestEntityTooLarge, "the providers' files are longer than "+strconv.Itoa(MaxCandidate)+" bytes")
		}
	}
	set, problems := a.LoadProviders(fs.FS(folder))
	return set, problems, nil
}

func problemsOf(problems []provider.Problem) CandidateProblems {
	out := CandidateProblems{[]CandidateProblem{}}
	for _, p := range problems {
		out.Problems = append(out.Problems, CandidateProblem{File: p.File, Line: p.Line, Column: p.Col, Message: p.Message})
	}
	return out
}

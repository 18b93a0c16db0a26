package main

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/jithook/jithook/admin"
	"github.com/jithook/jithook/internal/strictyaml"
	"github.com/jithook/jithook/replay"
)

// replayed is what a replay was asked, and has come to.
type replayed struct {
	Since       time.Time           `json:"since"`
	Summary     replay.Summary      `json:"summary"`
	Differences []replay.Difference `json:"differences"`
	// Exceeded are the kinds of which more logins differ than --allow lets pass.
	Exceeded []replay.Kind `json:"exceeded"`
}

func newReplayCmd() *cobra.Command {
	from := access{rules: true}
	var out format
	var folder, allow string
	since := ago(24 * time.Hour)
	var all bool
	var most int
	cmd := &cobra.Command{
		Use: "replay --providers FOLDER", Short: "Say what other providers' files would change about recorded logins", Args: cobra.NoArgs,
		Long: `Decide recorded logins again, by the providers' files in force and by those in
FOLDER, and say in what the two differ: first counts, then login by login,
without a value. Both see the userstore as it is now; nothing is written and
nobody is asked. It needs decisions.record_claims: full. FOLDER stands for the
whole of the providers' folder.

Of each subject the newest login is replayed, as the person is today, and the
one that made them, as if they were not there yet. Exit code 2 when more logins
differ than --allow lets pass: by default none; 1 when too little could be
looked at to say that no more do.`,
		Example: `  jithook replay --since 24h --providers ./candidate
  jithook replay --since 7d --providers ./candidate --allow traits=1%,code=5`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			tolerance, err := replay.ParseTolerance(allow)
			if err != nil {
				return fmt.Errorf("--allow: %w", err)
			}
			files, err := packed(folder)
			if err != nil {
				return err
			}
			r := replayed{Since: now().Add(-time.Duration(since)).Truncate(time.Second).UTC(), Differences: []replay.Difference{}}
			query := url.Values{"since": {r.Since.Format(time.RFC3339)}, "all": {strconv.FormatBool(all)}, "differences": {strconv.Itoa(most)}}
			return from.with(func(c *client) error {
				bar := newProgress(cmd.ErrOrStderr(), out, "replaying", "logins")
				defer bar.end()
				err := c.exchange(cmd.Context(), "/replay", query, upload{"application/zip", files}, admin.TypeLines,
					func(_ http.Header, _ int64, body io.Reader) error { return r.take(body, bar) })
				bar.end()
				var refused unprocessable
				if errors.As(err, &refused) {
					return candidateProblems(folder, refused)
				}
				if err != nil {
					return explained(err)
				}
				r.Exceeded = append([]replay.Kind{}, tolerance.Exceeded(r.Summary)...)
				return r.report(cmd.OutOrStdout(), out, tolerance)
			})
		},
	}
	cmd.Flags().Var(&since, "since", "how far back recorded logins are replayed, such as 24h or 7d")
	cmd.Flags().StringVar(&folder, "providers", "", "the `FOLDER` of the candidate files")
	cmd.Flags().StringVar(&allow, "allow", "", "how many logins may differ, `KIND=AMOUNT,…`: a number, or a percentage of those replayed; kinds are decision, code, traits, groups, links and userstore")
	cmd.Flags().BoolVar(&all, "all", false, "replay every login, and not only the newest of each subject")
	cmd.Flags().IntVar(&most, "differences", 100, "name at most so `many`; all are counted")
	_ = cmd.MarkFlagRequired("providers") // fails only for a flag that is not there
	from.bind(cmd)
	out.bindAs(cmd, "table", "table or json")
	return cmd
}

// packed is a folder of providers' files as the admin API takes it.
func packed(folder string) ([]byte, error) {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	if err := pack(w, folder, ""); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	if b.Len() > admin.MaxCandidate {
		return nil, fmt.Errorf("--providers: the files are longer than %d bytes", admin.MaxCandidate)
	}
	return b.Bytes(), nil
}

// deepest is how many folders may lie in one another: links may lead in a circle.
const deepest = 8

// pack adds what is in the folder at, below the folder of the providers' files:
// claims' schemas may lie deeper than those.
func pack(w *zip.Writer, folder, at string) error {
	if strings.Count(at, "/") == deepest {
		return fmt.Errorf("--providers: %s lies deeper than %d folders", filepath.Join(folder, at), deepest)
	}
	entries, err := os.ReadDir(filepath.Join(folder, at))
	if err != nil {
		return fmt.Errorf("--providers: %w", err)
	}
	for _, e := range entries {
		name := path.Join(at, e.Name())
		file := filepath.Join(folder, name)
		// A mounted ConfigMap is a folder of links: what counts is where they lead.
		info, err := os.Stat(file)
		if err != nil {
			return fmt.Errorf("--providers: %w", err)
		}
		switch {
		case info.IsDir() && strings.HasPrefix(e.Name(), "."): // such as where those links lead
			continue
		case info.IsDir():
			if err := pack(w, folder, name); err != nil {
				return err
			}
			continue
		case info.Size() > admin.MaxCandidate:
			return fmt.Errorf("--providers: %s is longer than %d bytes", file, admin.MaxCandidate)
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("--providers: %w", err)
		}
		f, err := w.Create(name)
		if err != nil {
			return err
		}
		if _, err := f.Write(text); err != nil {
			return err
		}
	}
	return nil
}

// candidateProblems is the error about files that cannot be replayed, with
// places that a person can open.
func candidateProblems(folder string, document []byte) error {
	var found admin.CandidateProblems
	if err := decode(document, &found); err != nil {
		return err
	}
	var problems []strictyaml.Problem
	for _, p := range found.Problems {
		problems = append(problems, strictyaml.Problem{File: filepath.Join(folder, shown(p.File)), Line: p.Line, Col: p.Column, Message: shown(p.Message)})
	}
	return providerProblems(problems)
}

// take reads the lines of a replay.
func (r *replayed) take(body io.Reader, bar *progress) error {
	lines := json.NewDecoder(body)
	for {
		var l admin.ReplayLine
		switch err := lines.Decode(&l); {
		case errors.Is(err, errIdle):
			return err
		case err != nil:
			return errors.New("the replay broke off: the server ended, or its log says why")
		case l.Difference != nil:
			r.Differences = append(r.Differences, *l.Difference)
		case l.Progress != nil:
			bar.share(l.Progress.Logins, r.Since, l.Progress.Through)
		case l.End != nil:
			r.Summary = *l.End
			return nil
		}
	}
}

// ago is a flag's time span, in days too.
type ago time.Duration

func (a *ago) String() string { return time.Duration(*a).String() }

// Type is what the flag's help shows for a value.
func (*ago) Type() string { return "TIME" }

// Set reads the flag's value.
func (a *ago) Set(text string) error {
	d, err := time.ParseDuration(text)
	if days, ok := strings.CutSuffix(text, "d"); ok {
		var n int
		n, err = strconv.Atoi(days)
		d = time.Duration(n) * 24 * time.Hour
		if n > maxDays {
			err = errors.New("too many")
		}
	}
	if err != nil || d <= 0 {
		return errors.New("it is a time span such as 90m, 24h or 7d")
	}
	*a = ago(d)
	return nil
}

// maxDays bounds a time span, in days: nobody keeps records for longer.
const maxDays = 36_500

package rules

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/jithook/jithook/internal/strictyaml"
)

// Update is a file with cases that want what their logins become.
type Update struct {
	// Data is the file as it should be; nil where nothing changes.
	Data []byte
	// Updated are the results of the cases that changed, as they are now. What
	// they did not want before are the Diffs of the results given.
	Updated []Result
	// Refused says of the other failed ones why they were left alone.
	Refused []Refusal
}

// Refusal is a failed case that has to be changed by hand.
type Refusal struct {
	Case *Case
	Why  string
}

// Update makes the failed cases of a file want what was got, and leaves all else
// in it as it is, comments among it; data is the file, and results are those of
// Run. Refused are cases that need not pass yet, those that would lose traits and
// groups that they want, and what cannot be told from a comment. The rewritten
// file is read again: every changed case passes then, and every other one says
// what it said. Errors: those of Run, and that this is not so.
func (r Runner) Update(ctx context.Context, f *File, data []byte, results []Result) (Update, error) {
	var u Update
	var due []Result
	var all []strictyaml.Edit
	for _, result := range results {
		if result.Case.File != f || result.Passed() {
			continue
		}
		edits, why := result.edits()
		if why != "" {
			u.Refused = append(u.Refused, Refusal{result.Case, why})
			continue
		}
		due, all = append(due, result), append(all, edits...)
	}
	out, problems := strictyaml.Rewrite(f.Name, data, all)
	if len(problems) > 0 {
		due, all = u.possible(f, data, due)
		out, problems = strictyaml.Rewrite(f.Name, data, all)
	}
	if len(problems) > 0 {
		return Update{}, problems[0]
	}
	if len(due) == 0 {
		return u, nil
	}
	now, err := r.replay(ctx, f, out, due)
	if err != nil {
		return Update{}, err
	}
	u.Data, u.Updated = out, now
	return u, nil
}

// possible refuses the cases that cannot be rewritten.
func (u *Update) possible(f *File, data []byte, results []Result) (due []Result, all []strictyaml.Edit) {
	for _, result := range results {
		edits, _ := result.edits()
		if _, problems := strictyaml.Rewrite(f.Name, data, edits); len(problems) > 0 {
			u.Refused = append(u.Refused, Refusal{result.Case, problems[0].String()})
			continue
		}
		due, all = append(due, result), append(all, edits...)
	}
	return due, all
}

// edits are what makes the case pass, or why it is left alone.
func (r Result) edits() (edits []strictyaml.Edit, why string) {
	want := r.Case.Want
	switch {
	case r.Case.Todo != "":
		return nil, "it need not pass yet: take its todo out first"
	case !r.Decision.Allowed() && want.ofPerson():
		return nil, fmt.Sprintf("the login does not pass any more (%s), and it wants traits, groups or what is verified: they would have to go", r.Decision)
	}
	lost, at := false, []any{"cases", slices.Index(r.Case.File.Cases, r.Case), "want"}
	for _, d := range slices.DeleteFunc(slices.Clone(r.Diffs), Diff.Aside) {
		value, steps := d.Got, slices.Concat(at, []any{strings.TrimPrefix(d.Path, "/")})
		if name, trait := strings.CutPrefix(d.Path, "/traits/"); trait {
			steps = slices.Concat(at, []any{"traits", name})
		} else if value == "" {
			value = nil
		}
		if names, ok := value.([]string); ok {
			list := []any{}
			for _, n := range names {
				list = append(list, n)
			}
			value = list
		}
		edits = append(edits, strictyaml.Edit{Path: steps, Value: value})
		lost = lost || value == nil && (d.Path == "/rule" || d.Path == "/path")
	}
	if lost && want.Code == "" { // or else it would accept any reason, or ask for nothing
		edits = append(edits, strictyaml.Edit{Path: slices.Concat(at, []any{"code"}), Value: string(r.code)})
	}
	return edits, ""
}

// replay holds a rewritten file to its promise.
func (r Runner) replay(ctx context.Context, f *File, data []byte, changed []Result) ([]Result, error) {
	again, problems := parse(f.Name, data)
	if len(problems) > 0 {
		return nil, fmt.Errorf("%s cannot be rewritten: %w", f.Name, problems[0])
	}
	var now []Result
	for n, c := range f.Cases {
		is := again.Cases[n]
		if !slices.ContainsFunc(changed, func(r Result) bool { return r.Case == c }) {
			if !reflect.DeepEqual(c.Want, is.Want) {
				return nil, fmt.Errorf("%s: it cannot be rewritten without another case in the same file", c.Pos())
			}
			continue
		}
		result, err := r.Run(ctx, is)
		if err != nil {
			return nil, err
		}
		if !result.Passed() {
			return nil, fmt.Errorf("%s: it cannot be rewritten so that it passes: change it by hand", c.Pos())
		}
		now = append(now, result)
	}
	return now, nil
}

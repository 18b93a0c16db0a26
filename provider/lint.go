package provider

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/jithook/jithook/internal/expr"
	"github.com/jithook/jithook/internal/strictyaml"
)

// Finding is something about a file that loads and yet is most likely not meant.
type Finding struct {
	Problem
	Code LintCode
}

// String returns the finding as file:line:col: code: message.
func (f Finding) String() string {
	return fmt.Sprintf("%s:%d:%d: %s: %s", f.File, f.Line, f.Col, f.Code, f.Message)
}

// Error is String: a Problem is an error.
func (f Finding) Error() string { return f.String() }

// Lint looks at the files that Load reads, and returns what it finds in the
// order of their places. Files with problems it leaves to Load. The error is
// that ctx has ended.
func (l Loader) Lint(ctx context.Context, fsys fs.FS) ([]Finding, error) {
	entries, err := fs.ReadDir(fsys, ".")
	if err != nil {
		return nil, nil
	}
	var findings []Finding
	for _, e := range entries {
		if !isProviderFile(fsys, e) {
			continue
		}
		data, err := read(fsys, e.Name())
		if err != nil {
			continue
		}
		f, p, problems := l.parse(fsys, e.Name(), data)
		if len(problems) > 0 {
			continue
		}
		found := lint(ctx, l.Env, f, p)
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		findings = append(findings, silenced(found, strictyaml.Comments(e.Name(), data))...)
	}
	return findings, nil
}

// linter looks at one file.
type linter struct {
	// ctx ends the search early; what was found until then is of no use.
	ctx      context.Context
	env      *expr.Env
	file     file
	provider *Provider
	// nothing are no facts.
	nothing  expr.Facts
	findings []Finding
}

func lint(ctx context.Context, env *expr.Env, f file, p *Provider) []Finding {
	l := linter{ctx: ctx, nothing: env.NewFacts(), env: env, file: f, provider: p}
	l.rules()
	l.traits()
	l.linking()
	l.groups()
	l.claims()
	return l.findings
}

func (l *linter) found(code LintCode, at Problem, format string, args ...any) {
	at.Message = fmt.Sprintf(format, args...)
	l.findings = append(l.findings, Finding{at, code})
}

// silence begins a comment that silences a finding, followed by its code and
// the reason.
const silence = "lint:ignore"

// silenced returns the findings that no comment silences, and what is wrong with
// the comments, in the order of their places.
func silenced(findings []Finding, comments []strictyaml.Comment) []Finding {
	var wrong []Finding
	for _, c := range comments {
		words := strings.Fields(c.Text.Value)
		if len(words) == 0 || words[0] != silence {
			continue
		}
		code := LintCode("")
		if len(words) > 1 {
			code = LintCode(words[1])
		}
		found := func(what LintCode, format string, args ...any) {
			wrong = append(wrong, Finding{c.Text.Problemf(format, args...), what})
		}
		about := func(f Finding) bool { return f.Code == code && c.From <= f.Line && f.Line <= c.To }
		switch info, ok := code.known(); {
		case !ok:
			found(LintIgnoreUnknown, "there is no finding %q; docs/lint.md lists them", code)
		case info.Fixed:
			found(LintIgnoreUnknown, "%s cannot be silenced", code)
		case len(words) < 3:
			found(LintIgnoreReasonless, "say behind %s why this is meant", code)
		case !slices.ContainsFunc(findings, about):
			found(LintIgnoreUnused, "there is no %s here any more: take the comment out", code)
		default:
			findings = slices.DeleteFunc(findings, about)
		}
	}
	findings = append(findings, wrong...)
	slices.SortStableFunc(findings, func(a, b Finding) int { return cmp.Or(a.Line-b.Line, a.Col-b.Col) })
	return findings
}

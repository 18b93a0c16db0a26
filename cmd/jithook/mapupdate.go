package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/jithook/jithook/rules"
)

// rewrite makes the failed cases of the files in a folder want what they got,
// and puts their new results in the place of the old ones.
func rewrite(ctx context.Context, r rules.Runner, dir string, files []*rules.File, results []rules.Result, all []played) error {
	for _, f := range files {
		path := filepath.Join(dir, f.Name)
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		u, err := r.Update(ctx, f, data, results)
		if err != nil {
			return err
		}
		for _, no := range u.Refused {
			at := slices.IndexFunc(results, func(r rules.Result) bool { return r.Case == no.Case })
			all[at].left = no.Why
		}
		if u.Data == nil {
			continue
		}
		if err := overwrite(path, u.Data); err != nil {
			return err
		}
		for _, now := range u.Updated {
			at := slices.IndexFunc(results, func(r rules.Result) bool {
				return r.Case.File == f && r.Case.Name.Value == now.Case.Name.Value
			})
			before := slices.DeleteFunc(slices.Clone(results[at].Diffs), rules.Diff.Aside)
			results[at] = now
			all[at] = played{Result: now, updated: before, perLogin: all[at].perLogin}
		}
	}
	return nil
}

// overwrite puts a file in the place of another one, which is whole until then.
// A link stays one, and owner and mode stay.
func overwrite(path string, data []byte) (err error) {
	if path, err = filepath.EvalSymlinks(path); err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, discard(temp)) }()
	if _, err := temp.Write(data); err != nil {
		return err
	}
	// The owner first: to give a file away can change its mode.
	if err := errors.Join(sameOwner(temp, info), temp.Chmod(info.Mode().Perm()), temp.Sync()); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return os.Rename(temp.Name(), path)
}

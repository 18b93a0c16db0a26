package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/jithook/jithook/kratos/setup"
)

// kratosFileHelp says what --file of a command takes.
const kratosFileHelp = "the YAML `FILE` that configures a self-hosted Kratos; - is the standard input"

// readKratosFile returns a Kratos's configuration in YAML, which may hold as much
// as one of ours.
func readKratosFile(stdin io.Reader, path string) ([]byte, error) {
	if path != "-" {
		return readBounded(path)
	}
	data, err := io.ReadAll(io.LimitReader(stdin, maxConfig+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("standard input: %w", err)
	case len(data) > maxConfig:
		return nil, fmt.Errorf("standard input: longer than %d bytes", maxConfig)
	}
	return data, nil
}

// readBounded returns what is in a file of a configuration, whosever it is.
func readBounded(path string) (data []byte, err error) {
	info, err := os.Stat(path)
	if err == nil && info.Size() > maxConfig {
		return nil, fmt.Errorf("%s is longer than %d bytes", path, maxConfig)
	}
	if err == nil {
		data, err = os.ReadFile(path)
	}
	var why *fs.PathError
	if errors.As(err, &why) {
		err = fmt.Errorf("%s: %w", path, why.Err)
	}
	return data, err
}

// kratosFiles are a Kratos's configuration, and the files that it was read from.
type kratosFiles struct {
	tree  map[string]any
	files []kratosFile
}

type kratosFile struct {
	name string
	text []byte
	tree map[string]any
}

// readKratosFiles reads files as a Kratos that is started with all of them: what a
// later one says counts.
func readKratosFiles(stdin io.Reader, paths []string) (kratosFiles, error) {
	all := kratosFiles{tree: map[string]any{}}
	for _, path := range paths {
		text, err := readKratosFile(stdin, path)
		if err != nil {
			return kratosFiles{}, err
		}
		name := path
		if path == "-" {
			name = "stdin"
		}
		tree, err := setup.ReadYAML(text)
		if err != nil {
			return kratosFiles{}, fmt.Errorf("%s: %w", name, err)
		}
		all.files = append(all.files, kratosFile{name, text, tree})
		all.tree = setup.Merge(all.tree, tree)
	}
	return all, nil
}

// locate returns where a path stands: in the file whose word counts or, where it is
// in none, in the first.
func (k kratosFiles) locate(path []string) (name string, line, col int) {
	if len(k.files) == 0 {
		return "", 0, 0
	}
	at := k.files[0]
	for _, f := range k.files {
		if setup.At(f.tree, path...) != nil {
			at = f
		}
	}
	line, col = setup.Locate(at.text, path)
	return at.name, line, col
}

// fileBeside reads what file:// URLs of a configuration stand for, relative to
// its folder.
func fileBeside(config string) setup.Fetch {
	return func(url string) ([]byte, error) {
		path, ok := strings.CutPrefix(url, "file://")
		if !ok {
			return nil, errors.New("no file")
		}
		if !filepath.IsAbs(path) {
			path = filepath.Join(filepath.Dir(config), path)
		}
		return readBounded(path)
	}
}

// openToAll returns what to say of a file for the key that everybody on the machine
// can read; nil if only some can. Its mode is not ours to change:
// Kratos has to read it, too.
func openToAll(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm()&0o004 == 0 {
		return nil, err
	}
	return []string{fmt.Sprintf("everybody on this machine can read %s, where the hook key belongs: chmod o-r, if Kratos can read it then", path)}, nil
}

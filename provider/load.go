package provider

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/jithook/jithook/claims/idtoken"
	"github.com/jithook/jithook/internal/expr"
	"github.com/jithook/jithook/internal/strictyaml"
)

// maxFile bounds a provider's file, in bytes.
const maxFile = 1 << 20

// Loader loads folders of providers' files.
type Loader struct {
	// Env compiles the expressions.
	Env *expr.Env
	// Userstores are the names that jit.userstore may have.
	Userstores []string
	// Targets are the names that outbound may have.
	Targets []string
	// Keys are those that prove ID tokens. They outlive a reload.
	Keys *idtoken.Keys
	// Now is the time of receipt of claims that bring none of their own.
	Now func() time.Time
}

// Load reads every .yaml, .yml and .json file in the root of fsys; names that
// begin with a dot are passed over, and those that IsCases or isSchema names. It returns the set, or all problems of all
// files in the order of their places; with any problem there is no set.
func (l Loader) Load(fsys fs.FS) (*Set, []Problem) { return l.load(fsys, &Set{}) }

// load is Load of a folder from which last came: what has not changed since is not
// compiled again.
func (l Loader) load(fsys fs.FS, last *Set) (*Set, []Problem) {
	entries, err := fs.ReadDir(fsys, ".")
	if err != nil {
		return nil, []Problem{{File: ".", Message: "the folder cannot be read: " + reason(err)}}
	}
	before := make(map[string]*Provider, last.Len()) // by file
	for _, p := range last.All() {
		before[p.File] = p
	}
	providers := make(map[string]*Provider, len(entries))
	var problems []Problem
	for _, e := range entries {
		if !isProviderFile(fsys, e) {
			continue
		}
		runtime.Gosched() // logins go first
		p, found := l.file(fsys, e.Name(), before[e.Name()])
		problems = append(problems, found...)
		if p == nil {
			continue
		}
		if other, taken := providers[p.ID]; taken {
			twice := p.place
			twice.Message = fmt.Sprintf("provider %q is in %s already; every provider has one file", p.ID, other.File)
			problems = append(problems, twice)
			continue
		}
		providers[p.ID] = p
	}
	if len(problems) > 0 {
		slices.SortFunc(problems, func(a, b Problem) int {
			return cmp.Or(strings.Compare(a.File, b.File), a.Line-b.Line, a.Col-b.Col)
		})
		return nil, problems
	}
	return newSet(providers), nil
}

// IsCases reports whether a file beside the providers' holds cases that try one
// of them: acme_test.yaml.
func IsCases(name string) bool {
	ext := path.Ext(name)
	return slices.Contains([]string{".yaml", ".yml", ".json"}, ext) && strings.HasSuffix(strings.TrimSuffix(name, ext), "_test")
}

// mayCount reports whether a file of that name may be part of what is loaded.
func mayCount(name string) bool {
	return !strings.HasPrefix(name, ".") && slices.Contains([]string{".yaml", ".yml", ".json"}, path.Ext(name))
}

func isProviderFile(fsys fs.FS, e fs.DirEntry) bool {
	if !mayCount(e.Name()) || IsCases(e.Name()) || isSchema(e.Name()) {
		return false
	}
	// A mounted ConfigMap is a folder of links: what counts is where they lead.
	info, err := fs.Stat(fsys, e.Name())
	return err != nil || !info.IsDir()
}

// file loads one file, of which last, if not nil, was made before. What panics at it
// must not end a server that has good ones in force.
func (l Loader) file(fsys fs.FS, name string, last *Provider) (p *Provider, problems []Problem) {
	defer func() {
		if recover() != nil { // with what may be a part of the file
			p, problems = nil, []Problem{{File: name, Line: 1, Col: 1, Message: "jithook fails at this file, which is a mistake of jithook's own: report it with the file"}}
		}
	}()
	data, err := read(fsys, name)
	if err != nil {
		return nil, []Problem{{File: name, Line: 1, Col: 1, Message: reason(err)}}
	}
	sum := digest(data)
	if last != nil && last.Digest == sum && last.schemaStands(fsys) {
		return last, nil
	}
	f, p, problems := l.parse(fsys, name, data)
	if len(problems) > 0 {
		return nil, problems
	}
	p.File, p.Digest, p.place = name, sum, f.Provider.Problemf("")
	return p, nil
}

// schemaStands reports whether the schema, if there is one, is what it was.
func (p *Provider) schemaStands(fsys fs.FS) bool {
	if p.schemaFile == "" {
		return true
	}
	data, err := read(fsys, p.schemaFile)
	return err == nil && digest(data) == p.schemaDigest
}

// digest is the SHA-256 of what a file has, in hex.
func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// parse returns a file as it is written and the provider that it makes, which
// is whole only without problems.
func (l Loader) parse(fsys fs.FS, name string, data []byte) (file, *Provider, []Problem) {
	var f file
	problems := strictyaml.Decode(name, data, &f)
	c := compiler{Loader: l, fsys: fsys}
	p := c.build(f)
	for _, found := range c.problems {
		// What could not be decoded has no place, and a problem already. All
		// else is compiled in spite of it, so that one mistake in the form does
		// not hide those in the rules.
		if found.Line > 0 || len(problems) == 0 {
			problems = append(problems, found)
		}
	}
	return f, p, problems
}

func read(fsys fs.FS, name string) ([]byte, error) {
	info, err := fs.Stat(fsys, name)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("the file is longer than %d bytes", maxFile)
	}
	return fs.ReadFile(fsys, name)
}

// reason is an error of the file system without the path that the caller
// prints anyway.
func reason(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}

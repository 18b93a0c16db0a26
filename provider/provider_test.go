// These tests prove that a provider's file means what it says or is refused
// with every problem at its place, and that the providers in force are always
// the newest whole ones.
package provider_test

import (
	"bytes"
	"context"
	"flag"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jithook/jithook/claims/idtoken"
	"github.com/jithook/jithook/deploy"
	"github.com/jithook/jithook/internal/expr"
	"github.com/jithook/jithook/internal/safedial"
	"github.com/jithook/jithook/provider"
)

var update = flag.Bool("update", false, "rewrite the problems in testdata")

func loader(t testing.TB) provider.Loader {
	t.Helper()
	env, err := expr.NewEnv()
	if err != nil {
		t.Fatal(err)
	}
	keys := idtoken.NewKeys(safedial.Guard{}, time.Now, slog.New(slog.DiscardHandler))
	return provider.Loader{Env: env, Userstores: []string{"default", "employees"}, Targets: []string{"hr", "crm"}, Keys: keys, Now: time.Now}
}

// TestProblems loads the file above the line "-- problems --" and compares with
// what stands below.
func TestProblems(t *testing.T) {
	const line = "-- problems --\n"
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases, %v", err)
	}
	for _, f := range files {
		t.Run(filepath.Base(f), func(t *testing.T) {
			data, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			file, want, ok := strings.Cut(string(data), line)
			if !ok {
				t.Fatalf("no line %q", line)
			}
			set, problems := loader(t).Load(fstest.MapFS{"acme.yaml": {Data: []byte(file)}})
			var got strings.Builder
			for _, p := range problems {
				got.WriteString(p.String() + "\n")
			}
			if (set == nil) != (len(problems) > 0) {
				t.Errorf("set %v with %d problems", set, len(problems))
			}
			if *update {
				if err := os.WriteFile(f, []byte(file+line+got.String()), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(want, got.String()); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

const small = `{"version": 1, "provider": "NAME", "issuer": "https://acme.example", "jit": {"enabled": true}, "traits": {"name": {"value": "claims.name"}}}`

func named(name string) *fstest.MapFile {
	return &fstest.MapFile{Data: []byte(strings.Replace(small, "NAME", name, 1))}
}

func TestFolders(t *testing.T) {
	for name, c := range map[string]struct {
		files fstest.MapFS
		ids   []string
		wrong string
	}{
		"several files":        {fstest.MapFS{"b.yml": named("globex"), "a.yaml": named("acme"), "c.json": named("initech")}, []string{"acme", "globex", "initech"}, ""},
		"nothing":              {fstest.MapFS{}, nil, ""},
		"other files":          {fstest.MapFS{"README.md": {Data: []byte("x")}, ".hidden.yaml": {Data: []byte("x")}, "sub/a.yaml": {Data: []byte("x")}}, nil, ""},
		"two of one provider":  {fstest.MapFS{"a.yaml": named("acme"), "b.yaml": named("acme")}, nil, `b.yaml:1:29: provider "acme" is in a.yaml already; every provider has one file`},
		"a file that is a bit": {fstest.MapFS{"a.yaml": {Data: bytes.Repeat([]byte("#"), 1<<20+1)}}, nil, "a.yaml:1:1: the file is longer than 1048576 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			set, problems := loader(t).Load(c.files)
			if c.wrong != "" {
				if len(problems) != 1 || problems[0].String() != c.wrong {
					t.Errorf("problems %v", problems)
				}
				return
			}
			var ids []string
			for _, p := range set.All() {
				ids = append(ids, p.ID)
			}
			if len(problems) != 0 || !slices.Equal(ids, c.ids) || set.Len() != len(c.ids) {
				t.Errorf("ids %v, problems %v", ids, problems)
			}
		})
	}
}

// TestSampleIsGood holds the sample that `jithook dev` starts with to the rules.
func TestSampleIsGood(t *testing.T) {
	samples, err := fs.Sub(deploy.FS, "providers")
	if err != nil {
		t.Fatal(err)
	}
	set, problems := loader(t).Load(samples)
	if len(problems) > 0 || set.Len() == 0 {
		t.Fatalf("problems %v", problems)
	}
	p, _ := set.Get("acme")
	if got, want := p.TraitNames(), []string{"department", "email", "groups", "name", "username"}; !slices.Equal(got, want) {
		t.Errorf("traits %v, want %v", got, want)
	}
	names, all := p.ClaimNames()
	want := []string{"_claim_names", "department", "email", "email_verified", "groups", "groups_truncated", "hasgroups", "hd", "name", "preferred_username", "user_type"}
	if all || !slices.Equal(names, want) {
		t.Errorf("claims %v, all %v", names, all)
	}
}

// live is a watched folder.
type live struct {
	*provider.Live
	dir   string
	loads chan bool // of every load: was it good?
}

func watch(t *testing.T) live {
	t.Helper()
	return watchAt(t, t.TempDir())
}

func watchAt(t *testing.T, dir string) live {
	t.Helper()
	l := live{dir: dir, loads: make(chan bool, 100)}
	l.write(t, "a.yaml", "acme")
	l.Live = provider.NewLive(l.dir, loader(t), slog.New(slog.DiscardHandler), func(_ *provider.Set, good bool) { l.loads <- good })
	if problems := l.Load(); len(problems) > 0 {
		t.Fatal(problems)
	}
	<-l.loads
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- l.Watch(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	// The watch is on once a change is noticed.
	for {
		l.write(t, "probe_test.yaml", "acme") // which is none of a provider
		select {
		case <-l.loads:
			return l
		case <-time.After(300 * time.Millisecond):
		}
	}
}

func (l live) write(t *testing.T, name, id string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(l.dir, name), []byte(strings.Replace(small, "NAME", id, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
}

// until waits for a load after which cond holds.
func (l live) until(t *testing.T, what string, cond func(good bool) bool) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for {
		select {
		case good := <-l.loads:
			if cond(good) {
				return
			}
		case <-deadline:
			t.Fatalf("never: %s", what)
		}
	}
}

func (l live) has(id string) bool {
	_, ok := l.Set().Get(id)
	return ok
}

func TestChangedFileCountsWithoutRestart(t *testing.T) {
	l := watch(t)
	l.write(t, "b.yaml", "globex")
	l.until(t, "a new file", func(bool) bool { return l.has("globex") && l.has("acme") })
	l.write(t, "b.yaml", "initech")
	l.until(t, "an edited file", func(bool) bool { return l.has("initech") && !l.has("globex") })
	if err := os.Remove(filepath.Join(l.dir, "b.yaml")); err != nil {
		t.Fatal(err)
	}
	l.until(t, "a removed file", func(bool) bool { return !l.has("initech") })
}

// TestF16_BrokenFileKeepsTheLastGoodSet: broken, half-written, or swapped for a
// link that leads nowhere.
func TestF16_BrokenFileKeepsTheLastGoodSet(t *testing.T) {
	broken := map[string]func(path string) error{
		"broken":       func(p string) error { return os.WriteFile(p, []byte("allow: [everybody"), 0o600) },
		"half-written": func(p string) error { return os.WriteFile(p, []byte(small[:40]), 0o600) },
		"emptied":      func(p string) error { return os.Truncate(p, 0) },
		"a dead link": func(p string) error {
			if err := os.Remove(p); err != nil {
				return err
			}
			return os.Symlink("nowhere", p)
		},
	}
	for name, spoil := range broken {
		t.Run(name, func(t *testing.T) {
			l := watch(t)
			path := filepath.Join(l.dir, "a.yaml")
			if err := spoil(path); err != nil {
				t.Fatal(err)
			}
			l.until(t, "a broken load", func(good bool) bool { return !good })
			if !l.has("acme") || l.Set().Len() != 1 {
				t.Error("the last good set is gone")
			}
			os.Remove(path)
			l.write(t, "a.yaml", "globex")
			l.until(t, "a mended file", func(good bool) bool { return good && l.has("globex") })
		})
	}
}

// TestOtherFiles: what somebody writes beside the files has nothing loaded, and so, if
// it is written all the time, keeps nothing from being loaded.
func TestOtherFiles(t *testing.T) {
	const long = 500 * time.Millisecond // beside the time for which a folder must be quiet
	l := watch(t)
	for loaded := true; loaded; { // what the beginning of the watch brought
		select {
		case <-l.loads:
		case <-time.After(long):
			loaded = false
		}
	}
	for _, name := range []string{"server.log", ".a.yaml.swp", "a.yaml~"} {
		l.write(t, name, "acme")
	}
	select {
	case <-l.loads:
		t.Error("it was loaded again")
	case <-time.After(long):
	}
}

// TestMountedConfigMap: Kubernetes swaps a link to a whole folder.
func TestMountedConfigMap(t *testing.T) {
	l := watch(t)
	for _, version := range []string{"globex", "initech"} {
		data := filepath.Join(l.dir, "..data-"+version)
		if err := os.Mkdir(data, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(data, "c.yaml"), named(version).Data, 0o600); err != nil {
			t.Fatal(err)
		}
		next := filepath.Join(l.dir, "..data_tmp")
		if err := os.Symlink(filepath.Base(data), next); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(next, filepath.Join(l.dir, "..data")); err != nil {
			t.Fatal(err)
		}
		if version == "globex" {
			if err := os.Symlink("..data/c.yaml", filepath.Join(l.dir, "c.yaml")); err != nil {
				t.Fatal(err)
			}
		}
		l.until(t, version, func(bool) bool { return l.has(version) && l.has("acme") })
	}
}

// panicking is a folder of which one file makes whatever reads it panic, as one that a
// parser chokes on would.
type panicking struct{ fstest.MapFS }

func (f panicking) ReadFile(name string) ([]byte, error) {
	if name == "b.yaml" {
		panic("geheim")
	}
	return f.MapFS.ReadFile(name)
}

// TestPanicIsAProblem: a load that fails in whatever way is one with a problem; it does
// not end a server.
func TestPanicIsAProblem(t *testing.T) {
	set, problems := loader(t).Load(panicking{fstest.MapFS{"a.yaml": named("acme"), "b.yaml": named("globex")}})
	if set != nil || len(problems) != 1 || problems[0].File != "b.yaml" || strings.Contains(problems[0].Message, "geheim") {
		t.Errorf("%v, %v", set, problems)
	}
}

// TestOnlyChangesAreCompiled: a load keeps what it has of files that are as they
// were, whatever became of the others.
func TestOnlyChangesAreCompiled(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("a.yaml", string(named("acme").Data))
	write("b.yaml", string(named("globex").Data))
	write("c.yaml", strings.Replace(string(named("initech").Data), `"traits"`, `"claims": {"schema": "c.schema.json"}, "traits"`, 1))
	write("c.schema.json", "{}")
	l := provider.NewLive(dir, loader(t), slog.New(slog.DiscardHandler), nil)
	load := func(wrong ...string) map[string]*provider.Provider {
		t.Helper()
		var got []string
		for _, p := range l.Load() {
			got = append(got, p.String())
		}
		if !slices.Equal(got, wrong) {
			t.Errorf("problems %q, want %q", got, wrong)
		}
		by := map[string]*provider.Provider{}
		for _, p := range l.Set().All() {
			by[p.ID] = p
		}
		return by
	}
	first := load()
	write("b.yaml", string(named("globex").Data)+"\n# another\n")
	second := load()
	if len(second) != 3 || second["acme"] != first["acme"] || second["initech"] != first["initech"] || second["globex"] == first["globex"] {
		t.Error("an unchanged file was compiled again, or the changed one was not")
	}
	write("c.schema.json", "[")
	load(`c.yaml:1:121: c.schema.json: not JSON: unexpected EOF`) // a change beside the file
	write("c.schema.json", "{}")
	write("0.yaml", string(named("acme").Data))
	load(`a.yaml:1:29: provider "acme" is in 0.yaml already; every provider has one file`)
	write("0.yaml", string(named("umbrella").Data))
	if err := os.Remove(filepath.Join(dir, "b.yaml")); err != nil {
		t.Fatal(err)
	}
	if fourth := load(); len(fourth) != 3 || fourth["acme"] != first["acme"] || fourth["globex"] != nil {
		t.Errorf("%d providers; globex %v", len(fourth), fourth["globex"])
	}
}

func FuzzLoad(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.txt")
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		file, _, _ := strings.Cut(string(data), "-- problems --\n")
		f.Add(file)
	}
	l := loader(f)
	f.Fuzz(func(t *testing.T, file string) {
		set, problems := l.Load(fstest.MapFS{"a.yaml": {Data: []byte(file)}})
		if (set == nil) != (len(problems) > 0) {
			t.Errorf("set %v, problems %v", set, problems)
		}
		for _, p := range problems {
			if p.File != "a.yaml" || p.Message == "" {
				t.Errorf("problem without a place: %+v", p)
			}
		}
		if set != nil && set.Len() != 1 {
			t.Errorf("%d providers", set.Len())
		}
	})
}

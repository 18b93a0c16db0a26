//go:build unix

package strict_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jithook/jithook/test/server"
)

const config = `
listen: 127.0.0.1:0
admin: {listen: "127.0.0.1:0", token: "env:T"}
auth: {api_keys: [{name: kratos, value: "env:T", endpoints: [kratos], providers: [acme]}]}
store: {bolt: {path: jithook.db}}
providers: providers
`

// TestEveryFile: what is wrong with a file of the operator's is a problem at its
// place. Who reads the file has it before them; what it says is not repeated.
func TestEveryFile(t *testing.T) {
	binary := server.Build(t)
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		says string // "" if nothing is wrong
		edit func(good, line string) string
	}{
		"as it is":                     {"", func(good, _ string) string { return good }},
		"S10 two members of one name":  {"duplicate key", func(good, line string) string { return good + line }},
		"S10 in other letters":         {"unknown", func(good, line string) string { return good + strings.ToUpper(line[:1]) + line[1:] }},
		"S10 a name that it lacks":     {"unknown", func(good, _ string) string { return good + "nobody: " + canary + "\n" }},
		"S11 a second document":        {"a second document", func(good, line string) string { return good + "---\n" + line }},
		"S12 a level too many":         {"nest deeper", func(good, _ string) string { return good + "deep: " + nested(65) + "\n" }},
		"S12 as deep as a file may be": {"nest deeper", func(good, _ string) string { return good + "deep: " + strings.Repeat("[", 50_000) + "\n" }},
		"an anchor":                    {"anchors", func(good, _ string) string { return good + "extra: &a " + canary + "\n" }},
		"a tag":                        {"tags", func(good, _ string) string { return good + "extra: !!binary " + canary + "\n" }},
		"a merge":                      {"merge keys", func(good, _ string) string { return good + "<<: {extra: 1}\n" }},
		"bytes that are no UTF-8":      {"not valid UTF-8", func(good, _ string) string { return good + "extra: \"\xff\"\n" }},
		"a NUL":                        {"U+0000", func(good, _ string) string { return good + "extra: \x00\n" }},
		"nothing":                      {"empty", func(string, string) string { return "" }},
	} {
		t.Run(name, func(t *testing.T) {
			for file, text := range map[string][2]string{
				"jithook.yaml":        {c.edit(config, "listen: 127.0.0.1:1\n"), config},
				"providers/acme.yaml": {c.edit(acme, "provider: acme\n"), acme},
			} {
				dir := t.TempDir()
				if err := os.Mkdir(filepath.Join(dir, "providers"), 0o700); err != nil {
					t.Fatal(err)
				}
				write(filepath.Join(dir, "jithook.yaml"), config)
				write(filepath.Join(dir, "providers", "acme.yaml"), acme)
				write(filepath.Join(dir, file), text[0])
				cmd := exec.CommandContext(t.Context(), binary, "check", "-c", "jithook.yaml")
				cmd.Dir = dir
				out, err := cmd.CombinedOutput()
				told := err != nil && strings.Contains(string(out), filepath.Base(file)+":") && strings.Contains(string(out), c.says)
				if told == (c.says == "") || strings.Contains(string(out), canary) {
					t.Errorf("%s: %v\n%.600s", file, err, out)
				}
			}
		})
	}
}

// TestPlannedLogin: the file that is planned with is read as the hook would.
func TestPlannedLogin(t *testing.T) {
	binary := server.Build(t)
	s := server.Start(t, server.Config{
		Binary: binary, Providers: map[string]string{"acme.yaml": acme},
		Store: map[string]any{"bolt": map[string]any{"path": filepath.Join(t.TempDir(), "jithook.db")}},
	})
	s.AwaitReady(t)
	for name, c := range map[string]struct {
		login string
		taken bool
	}{
		"good":                    {generic, true},
		"two members of one name": {`{"version":1,` + generic[1:], false},
		"in other letters":        {`{"Version":1,` + generic[1:], false},
		"a second document":       {generic + generic, false},
		"a level too many":        {value(generic, nested(65)), false},
		"a byte order mark":       {"\ufeff" + generic, false},
		"bytes that are no UTF-8": {value(generic, "\"\xff\""), false},
		"a number without end":    {value(generic, "1e999"), false},
		"nothing":                 {"", false},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), binary, "plan", "--admin", s.Admin, "--login", "-")
			cmd.Stdin, cmd.Env = strings.NewReader(c.login), append(os.Environ(), "JITHOOK_ADMIN_TOKEN="+server.Secret)
			out, err := cmd.CombinedOutput()
			if (err == nil) != c.taken || !c.taken && (cmd.ProcessState.ExitCode() != 1 || strings.Contains(string(out), canary)) {
				t.Errorf("exit code %d\n%.600s", cmd.ProcessState.ExitCode(), out)
			}
		})
	}
}

package deploy_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"

	"github.com/jithook/jithook/test/peers"
)

func TestDockerfile(t *testing.T) {
	f, err := os.Open(dir + "/Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	parsed, err := parser.Parse(f)
	if err != nil {
		t.Fatal(err)
	}
	warn := linter.New(&linter.Config{Warn: func(name, _, _, message string, at []parser.Range) { t.Errorf("%s: %s at %v", name, message, at) }})
	stages, _, err := instructions.Parse(parsed.AST, warn)
	if err != nil {
		t.Fatal(err)
	}
	last := stages[len(stages)-1]
	if last.BaseName != "scratch" {
		t.Errorf("the image is made from %s", last.BaseName)
	}
	var copied []string
	user, entry := "", []string(nil)
	for _, c := range last.Commands {
		switch c := c.(type) {
		case *instructions.CopyCommand:
			copied = append(copied, c.DestPath)
			if c.From != stages[0].Name {
				t.Errorf("%s comes from %q", c.DestPath, c.From)
			}
		case *instructions.UserCommand:
			user = c.User
		case *instructions.EntrypointCommand:
			entry = c.CmdLine
			if c.PrependShell {
				t.Error("there is no shell to start it")
			}
		case *instructions.EnvCommand, *instructions.RunCommand:
			t.Errorf("%s in the image", c.Name())
		}
	}
	if !slices.Equal(copied, []string{"/etc/ssl/certs/ca-certificates.crt", "/jithook", "/data"}) || !slices.Equal(entry, []string{"/jithook"}) {
		t.Errorf("it holds %q and starts %q", copied, entry)
	}
	if !regexp.MustCompile(`^[1-9][0-9]*:[1-9][0-9]*$`).MatchString(user) {
		t.Errorf("it runs as %q: a number that is not root's shows Kubernetes that it is not", user)
	}
}

// TestDockerignore: what is made beside the sources is not sent to the builder (Compose's
// secrets nobody but jithook can read, and a builder that may not gives up), and all
// that the program is built from is.
func TestDockerignore(t *testing.T) {
	patterns, err := ignorefile.ReadAll(strings.NewReader(read(t, root+"/.dockerignore")))
	if err != nil {
		t.Fatal(err)
	}
	matcher, err := patternmatcher.New(patterns)
	if err != nil {
		t.Fatal(err)
	}
	ignored := func(path string) bool {
		found, err := matcher.MatchesOrParentMatches(path)
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	made := []string{"hook-key", "admin-token", "data/jithook.db"} // by the README
	for line := range strings.Lines(read(t, dir+"/compose/.gitignore")) {
		made = append(made, "deploy/compose/"+strings.Trim(line, "/\n"))
	}
	for _, path := range made {
		if !ignored(path) {
			t.Errorf("%s is sent", path)
		}
	}
	list := exec.Command("go", "list", "-deps", "-f", `{{if .Module}}{{if .Module.Main}}{{$p := .ImportPath}}{{range .GoFiles}}{{$p}}/{{.}}
{{end}}{{range .EmbedFiles}}{{$p}}/{{.}}
{{end}}{{end}}{{end}}`, "./cmd/jithook")
	list.Dir = root
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	needed := strings.Fields(string(out))
	if len(needed) < 300 {
		t.Errorf("only %d files", len(needed))
	}
	for _, file := range append(needed, "go.mod", "go.sum") {
		if path := strings.TrimPrefix(file, "github.com/jithook/jithook/"); ignored(path) {
			t.Errorf("%s is not sent", path)
		}
	}
}

func TestCompose(t *testing.T) {
	options, err := cli.NewProjectOptions([]string{dir + "/compose/compose.yaml"}, cli.WithInterpolation(true), cli.WithResolvedPaths(true))
	if err != nil {
		t.Fatal(err)
	}
	project, err := options.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s, err := project.GetService("jithook")
	if err != nil {
		t.Fatal(err)
	}
	if !s.ReadOnly || s.User == "" || strings.HasPrefix(s.User, "0") || !slices.Equal(s.CapDrop, []string{"ALL"}) || !slices.Contains(s.SecurityOpt, "no-new-privileges:true") || s.Privileged {
		t.Errorf("jithook may do more than it needs: %+v", s)
	}
	if _, err := os.Stat(filepath.Join(s.Build.Context, s.Build.Dockerfile)); err != nil {
		t.Error(err)
	}
	for name, service := range project.Services {
		for _, v := range service.Volumes {
			if v.Type == "bind" {
				if _, err := os.Stat(v.Source); err != nil || !v.ReadOnly {
					t.Errorf("%s mounts %s, %v", name, v.Target, err)
				}
			}
		}
		for _, p := range service.Ports {
			if p.HostIP != "127.0.0.1" {
				t.Errorf("%s is open to everybody on %s", name, p.Published)
			}
		}
		for other := range service.DependsOn {
			if _, err := project.GetService(other); err != nil {
				t.Error(err)
			}
		}
		if service.Image != "" && !regexp.MustCompile(`:v?[0-9]`).MatchString(service.Image) {
			t.Errorf("%s: %s is another one tomorrow", name, service.Image)
		}
	}
	checked(t, dir+"/compose/jithook.yaml")
	pages(t, project)
	apart(t, project)
}

// apart holds Kratos's Admin API, which asks for no credential, to an address in
// jithook's network alone: a host that has no other.
func apart(t *testing.T, project *types.Project) {
	t.Helper()
	const host = "kratos-admin"
	for service, s := range project.Services {
		for network, n := range s.Networks {
			if n != nil && slices.Contains(n.Aliases, host) != (service == "kratos" && network == "hooks") {
				t.Errorf("%s is %s in the network %s: %v", service, host, network, n.Aliases)
			}
		}
		if _, there := s.Networks["hooks"]; there != (service == "kratos" || service == "jithook") {
			t.Errorf("%s is in the network of the hooks: %v", service, there)
		}
	}
	for file, want := range map[string]string{"kratos/kratos.yml": "admin: {host: " + host + ",", "jithook.yaml": "admin_url: http://" + host + ":4434}"} {
		if !strings.Contains(read(t, dir+"/compose/"+file), want) {
			t.Errorf("%s does not say %s", file, want)
		}
	}
	if n := project.Services["kratos"].Networks["hooks"]; n == nil || !slices.Contains(n.Aliases, host) {
		t.Errorf("nobody is %s", host)
	}
}

// pages holds the pages to be where Kratos sends people, to ask the Kratos that
// there is, and to be apart from the hooks.
func pages(t *testing.T, project *types.Project) {
	t.Helper()
	published := map[string]bool{}
	for _, service := range project.Services {
		for _, p := range service.Ports {
			published["http://"+p.HostIP+":"+p.Published+"/"] = true
		}
	}
	for _, address := range regexp.MustCompile(`http://127\.0\.0\.1:[0-9]+/`).FindAllString(read(t, dir+"/compose/kratos/kratos.yml"), -1) {
		if !published[address] {
			t.Errorf("Kratos sends people to %s, where nobody is", address)
		}
	}
	ui, err := project.GetService("ui")
	if err != nil {
		t.Fatal(err)
	}
	if browser := ui.Environment["KRATOS_BROWSER_URL"]; browser == nil || !published[*browser] {
		t.Error("the pages send people to another Kratos")
	}
	if port := ui.Environment["PORT"]; port == nil || strconv.Itoa(int(ui.Ports[0].Target)) != *port {
		t.Errorf("the pages listen elsewhere than %v", ui.Ports)
	}
	for network := range project.Services["jithook"].Networks {
		if _, shared := ui.Networks[network]; shared {
			t.Errorf("the pages may call jithook: %s", network)
		}
	}
}

// TestUnit: systemd itself reads the unit, and finds little to criticise.
func TestUnit(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		peers.Missing(t, "systemd", "install systemd-analyze (Debian: the package systemd)", err)
	}
	// It wants the program where the unit says.
	unit, text := filepath.Join(t.TempDir(), "jithook.service"), read(t, dir+"/systemd/jithook.service")
	if strings.Contains(text, "\nProcSubset=pid") {
		t.Error("/proc/sys/net/core/somaxconn is hidden: connections of a crowd are dropped by the kernel, not answered")
	}
	write(t, unit, strings.ReplaceAll(text, "/usr/local/bin/jithook", jithook(t)))
	if out, err := exec.Command("systemd-analyze", "verify", "--man=no", unit).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%v\n%s", err, out)
	}
	// The scale ends at 100: 9.6 is what a unit without any hardening has.
	if out, err := exec.Command("systemd-analyze", "security", "--offline=yes", "--no-pager", "--threshold=20", unit).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

//go:build unix

package kratostest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/jithook/jithook/test/process"
)

const (
	// kratosStart is how long Kratos may take until it is ready, kratosPoll how
	// often it is asked.
	kratosStart = 120 * time.Second
	kratosPoll  = 25 * time.Millisecond
	// portTries bounds how often Kratos is started when another process took
	// the port between its choice and its use.
	portTries = 3
)

// Kratos is a running Ory Kratos.
type Kratos struct {
	PublicURL string
	AdminURL  string

	ends endpoints
	http *http.Client
}

// StartKratos starts a Kratos that ends with the test, and returns once it is
// ready. Its log is printed if the test fails.
func StartKratos(t testing.TB, c Config) *Kratos {
	t.Helper()
	peers := Require(t)
	for try := 1; ; try++ {
		k, err := tryStart(t, peers, c)
		if err == nil {
			return k
		}
		if !errors.Is(err, errPortTaken) || try == portTries {
			t.Fatalf("start Kratos: %v", err)
		}
	}
}

var errPortTaken = errors.New("another process took the port")

func tryStart(t testing.TB, peers Peers, c Config) (*Kratos, error) {
	t.Helper()
	dir := t.TempDir()
	ends, err := freePorts()
	if err != nil {
		return nil, err
	}
	dsn, err := database(t.Context(), c, peers, dir)
	if err != nil {
		return nil, err
	}
	config, err := c.render(ends, dsn)
	if err != nil {
		return nil, err
	}
	file, err := c.write(dir, config)
	if err != nil {
		return nil, err
	}
	// --dev lets cookies travel over plain HTTP.
	cmd := exec.Command(peers.Kratos, "serve", "--dev", "--sqa-opt-out", "-c", file)
	cmd.Dir = dir
	cmd.Env = environment(dir)
	p := process.Start(t, "kratos", cmd, append(secretsOf(config), hookKey)...)
	k := &Kratos{PublicURL: ends.public(), AdminURL: ends.admin(), ends: ends, http: &http.Client{Timeout: 30 * time.Second}}
	return k, k.waitReady(t.Context(), p)
}

// File returns the file that a Kratos would start with, at ports of nobody's.
func File(t testing.TB, c Config) string {
	t.Helper()
	config, err := c.render(endpoints{publicPort: 1, adminPort: 2}, "memory")
	if err != nil {
		t.Fatal(err)
	}
	file, err := c.write(t.TempDir(), config)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// write puts the configuration into a file.
func (c Config) write(dir string, config map[string]any) (string, error) {
	if c.Edit == nil {
		text, err := json.Marshal(config)
		if err != nil {
			return "", err
		}
		file := filepath.Join(dir, "kratos.json")
		return file, os.WriteFile(file, text, 0o600)
	}
	text, err := yaml.Marshal(config)
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "kratos.yml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return "", err
	}
	return file, c.Edit(file)
}

// database returns the DSN. SQLite's empty database comes from the cache: making
// Kratos's tables takes longer than everything else at its start.
func database(ctx context.Context, c Config, peers Peers, dir string) (string, error) {
	if c.DSN != "" {
		cmd := exec.CommandContext(ctx, peers.Kratos, "migrate", "sql", "--read-from-env", "--yes")
		cmd.Env = append(environment(dir), "DSN="+c.DSN)
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("tables of Kratos: %w: %s", err, out[max(0, len(out)-1000):])
		}
		return c.DSN, nil
	}
	empty, err := os.ReadFile(peers.KratosDB)
	if err != nil {
		return "", fmt.Errorf("empty database of Kratos: %w", err)
	}
	file := filepath.Join(dir, "kratos.sqlite")
	if err := os.WriteFile(file, empty, 0o600); err != nil {
		return "", fmt.Errorf("database of Kratos: %w", err)
	}
	return "sqlite://" + file + "?_fk=true&mode=rwc", nil
}

// environment is nearly empty, because Kratos reads its configuration from there,
// too.
func environment(dir string) []string { return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir} }

// freePorts picks two ports that are free now. Kratos cannot be told to pick.
// They are below those that a system gives to whoever asks for any, so that
// nobody gets one by chance between its choice and its use.
func freePorts() (endpoints, error) {
	var found []int
	for range 1000 {
		port := 10000 + rand.N(20000)
		if _, taken := given.LoadOrStore(port, true); taken {
			continue
		}
		l, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue // somebody has it
		}
		_ = l.Close()
		if found = append(found, port); len(found) == 2 {
			return endpoints{publicPort: found[0], adminPort: found[1]}, nil
		}
	}
	return endpoints{}, errors.New("no port is free between 10000 and 30000")
}

// given are the ports that tests of this process have got: they may not have
// begun to use them.
var given sync.Map

// waitReady asks Kratos until both servers answer, it ends, or time is up.
func (k *Kratos) waitReady(ctx context.Context, p *process.Process) error {
	ctx, cancel := context.WithTimeout(ctx, kratosStart)
	defer cancel()
	tick := time.NewTicker(kratosPoll)
	defer tick.Stop()
	for {
		if k.ready(ctx, k.AdminURL) && k.ready(ctx, k.PublicURL) {
			return nil
		}
		select {
		case <-p.Exited():
			tail := p.LogTail()
			if bytes.Contains([]byte(tail), []byte("address already in use")) {
				return errPortTaken
			}
			return fmt.Errorf("Kratos ended early: %v\n%s", p.State(), tail)
		case <-ctx.Done():
			return fmt.Errorf("Kratos was not ready within %v\n%s", kratosStart, p.LogTail())
		case <-tick.C:
		}
	}
}

func (k *Kratos) ready(ctx context.Context, base string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/health/ready", nil)
	if err != nil {
		return false
	}
	resp, err := k.http.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode == http.StatusOK
}

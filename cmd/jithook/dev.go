package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/jithook/jithook/deploy"
)

// devConfig is the configuration that `dev` writes: a real one, to start from.
const devConfig = `# yaml-language-server: $schema=schemas/jithook.schema.json
# Written by "jithook dev". It is a real configuration: edit it, or start
# your own from it with "jithook serve -c".
listen: 127.0.0.1:4480   # hooks: /hooks/login, /hooks/kratos/…, /livez, /readyz
admin:
  listen: 127.0.0.1:4481 # /admin/v1/…, /metrics
  token: file:admin-token
auth:
  api_keys:
    - name: dev
      value: file:hook-key
      endpoints: [login, kratos]
      providers: ["*"]
store:
  bolt: {path: jithook.db}
providers: providers
log: {level: info, format: text}
`

// devLogin is what the sample login says about a person.
const devLogin = `{"version":1,"provider":"acme","subject":"s-1","claims":{"email":"ann@acme.example","email_verified":true,"name":"Ann Example","preferred_username":"ann","hd":"acme.example","groups":["eng"]}}`

func newDevCmd() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use: "dev", Short: "Try jithook here: embedded store, sample provider", Args: cobra.NoArgs,
		Long: `Run the hook server with an embedded store and a sample provider, and print a
login to try. Configuration, keys, provider and store are written to the folder
if they are not there yet; nothing else is needed.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			abs, err := filepath.Abs(dir)
			if err != nil {
				return err
			}
			if err := prepareDev(abs); err != nil {
				return err
			}
			c, err := mustConfig(filepath.Join(abs, "jithook.yaml"))
			if err != nil {
				return err
			}
			// Whoever closes the terminal is done: a server that stayed would keep the ports.
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGHUP)
			defer stop()
			return serve(ctx, c, func() { greet(cmd.OutOrStdout(), abs, c) })
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "jithook-data", "the folder of everything that dev writes")
	return cmd
}

func greet(w io.Writer, dir string, c config) {
	fmt.Fprintf(w, `
jithook is running. A first login (again, and it is "unchanged"):

  curl -sS -H "X-API-Key: $(cat '%[1]s/hook-key')" -H 'Content-Type: application/json' -d '%[2]s' http://%[3]s/hooks/login

Then, in another terminal:

  export JITHOOK_ADMIN_TOKEN="$(cat '%[1]s/admin-token')"
  %[4]s identity list        # who is in the userstore
  %[4]s decisions list       # what was decided, and why

Rules: %[1]s/providers/acme.yaml (a change counts at once)

`, dir, devLogin, c.listen, startedAs(os.Args[0]))
}

// startedAs is what to type for another command of this program. "go run"
// starts it from a folder of its own, whose name has go-build in it.
func startedAs(arg string) string {
	if strings.Contains(arg, "go-build") {
		return "go run ./cmd/jithook"
	}
	return arg
}

// prepareDev writes what is missing below dir.
func prepareDev(dir string) error {
	for _, folder := range []string{"providers", "schemas"} {
		if err := os.MkdirAll(filepath.Join(dir, folder), 0o700); err != nil {
			return err
		}
	}
	files := map[string]string{
		"jithook.yaml": devConfig,
		"hook-key":     rand.Text(),
		"admin-token":  rand.Text(),
	}
	schemas, err := fs.Glob(deploy.FS, "schemas/*")
	if err != nil {
		return err
	}
	for _, s := range append(schemas, "providers/acme.yaml", "providers/acme_test.yaml") {
		data, err := fs.ReadFile(deploy.FS, s)
		if err != nil {
			return err
		}
		files[s] = string(data)
	}
	for name, content := range files {
		if err := writeNew(filepath.Join(dir, name), content); err != nil {
			return err
		}
	}
	return nil
}

// writeNew writes a file that only its owner reads, unless it exists.
func writeNew(path, content string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = f.WriteString(content)
	return errors.Join(err, f.Close())
}

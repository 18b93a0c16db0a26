package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/jithook/jithook/admin"
	"github.com/jithook/jithook/identity"
)

// editing is what the commands that change an identity have in common.
type editing struct {
	from     access
	out      format
	revision int64
}

// bind adds the flags.
func (e *editing) bind(cmd *cobra.Command) *cobra.Command {
	cmd.Flags().Int64Var(&e.revision, "revision", 0, "only if the identity is still at revision `N`")
	e.from.bind(cmd)
	e.out.bind(cmd)
	return cmd
}

// run sends an edit and prints what became of it. A refusal is exit code 2.
func (e *editing) run(cmd *cobra.Command, c *client, method, path string, body []byte) error {
	reply, err := c.edit(cmd.Context(), method, path, e.revision, body)
	if missing(err) && strings.HasPrefix(path, "/identities/") && !strings.Contains(path, "/links/") {
		return errors.New("there is no identity with this id")
	}
	if err != nil {
		return explained(err)
	}
	var done admin.Edited
	if err := decode(reply, &done); err != nil {
		return err
	}
	if err := e.out.print(cmd.OutOrStdout(), reply, func(w io.Writer) error { return edited(w, done) }); err != nil {
		return err
	}
	if done.Decision == identity.Denied {
		return errNo
	}
	return nil
}

// identityPath is the path of an identity below /admin/v1.
func identityPath(id string) (string, error) {
	if id == "" {
		return "", errors.New("there is no identity with an empty id")
	}
	return "/identities/" + url.PathEscape(id), nil
}

// getIdentity returns the identity at the path, and the document that it came
// in.
func getIdentity(cmd *cobra.Command, c *client, path string) (i admin.Identity, reply []byte, err error) {
	reply, err = c.get(cmd.Context(), path, nil)
	if missing(err) {
		return i, nil, errors.New("there is no identity with this id")
	}
	if err != nil {
		return i, nil, explained(err)
	}
	return i, reply, decode(reply, &i)
}

// edited lays out what became of an edit for people.
func edited(w io.Writer, e admin.Edited) error {
	t := newTable(w)
	t.row("Decision", string(e.Decision))
	t.row("Record", e.DecisionID)
	if i := e.Identity; i != nil {
		t.row("Identity", i.ID)
		t.row("State", string(i.State))
		t.row("Revision", strconv.FormatInt(i.Revision, 10))
	}
	if err := t.flush(); err != nil {
		return err
	}
	reasons(w, e.Reasons)
	changes(w, e.Changes)
	return nil
}

func newIdentityStateCmds() []*cobra.Command {
	var cmds []*cobra.Command
	for _, c := range []struct{ verb, short, long string }{
		{"suspend", "Bar every login of an identity", `Bar every login of an identity until it is activated. All else stays, groups
included.`},
		{"deprovision", "Close an account", `Close an account: every login is barred and all groups are revoked, whoever
granted them. The identity keeps its keys, so that the person's next sign-in
does not make a new one.`},
		{"activate", "Take back a suspension or a deprovisioning", `Take back a suspension or a deprovisioning. Groups that a provider's file grants
come back with the next login. Whom the identity server has never acknowledged
is pending again, and is not activated by hand.`},
	} {
		var e editing
		cmds = append(cmds, e.bind(&cobra.Command{
			Use: c.verb + " ID", Short: c.short, Long: c.long, Args: cobra.ExactArgs(1),
			RunE: func(cmd *cobra.Command, args []string) error {
				path, err := identityPath(args[0])
				if err != nil {
					return err
				}
				return e.from.with(func(client *client) error {
					return e.run(cmd, client, http.MethodPost, path+"/"+c.verb, nil)
				})
			},
		}))
	}
	return cmds
}

func newIdentityUnlinkCmd() *cobra.Command {
	var e editing
	return e.bind(&cobra.Command{
		Use: "unlink ID PROVIDER", Short: "Remove the links of an identity to a provider", Args: cobra.ExactArgs(2),
		Long: `Remove the links of an identity to a provider, the groups that its mapping
granted, and its word that a value is verified. The traits that it wrote stay.

The next sign-in with that provider is somebody else's, whom its file may let
have an account; it is refused where the identity server still has it connected
to this one. No lookup rule links it again: that takes links approve. The last
link may go: what remains are the other ways in that the identity server knows.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if args[1] == "" {
				return errors.New("the provider is empty")
			}
			path, err := identityPath(args[0])
			if err != nil {
				return err
			}
			return e.from.with(func(c *client) error {
				return e.run(cmd, c, http.MethodDelete, path+"/links/"+url.PathEscape(args[1]), nil)
			})
		},
	})
}

func newIdentityDeleteCmd() *cobra.Command {
	var e editing
	var yes bool
	cmd := e.bind(&cobra.Command{
		Use: "delete ID", Short: "Delete an identity", Args: cobra.ExactArgs(1),
		Long: `Delete an identity and its keys, for good. The person's next sign-in is a first
one: to keep somebody out, deprovision instead. Decision records stay for the
time of decisions.retention. Targets of outbound that may have an account are
told; until the last of them knows, something is left in the state deleted.
On a terminal it asks first.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := identityPath(args[0])
			if err != nil {
				return err
			}
			return e.from.with(func(c *client) error {
				if !yes {
					if err := e.confirm(cmd, c, path); err != nil {
						return err
					}
				}
				return e.run(cmd, c, http.MethodDelete, path, nil)
			})
		},
	})
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}

// confirm asks whether this very revision is to be deleted.
func (e *editing) confirm(cmd *cobra.Command, c *client, path string) error {
	if info, err := os.Stdin.Stat(); err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return errors.New("nobody can be asked here: --yes deletes without asking")
	}
	i, _, err := getIdentity(cmd, c, path)
	if err != nil {
		return err
	}
	e.revision = cmp.Or(e.revision, i.Revision)
	stderr := cmd.ErrOrStderr()
	if err := card(stderr, i); err != nil {
		return err
	}
	fmt.Fprint(stderr, "\nDelete this identity? The person's next sign-in is a first one. [yes/no] ")
	answer, _ := bufio.NewReader(io.LimitReader(os.Stdin, 1<<10)).ReadString('\n') // no answer is no
	if strings.TrimSpace(answer) != "yes" {
		return errors.New("not deleted")
	}
	return nil
}

func newIdentityEditCmd() *cobra.Command {
	var e editing
	var a amendments
	cmd := e.bind(&cobra.Command{
		Use: "edit ID", Short: "Write traits and groups of an identity", Args: cobra.ExactArgs(1),
		Long: `Write traits and groups of an identity. What was written is the administrator's,
and nobody has verified it. A provider changes such a trait only where its file
says attribute_sync: override_all or sync: force. A trait that was removed, and
a group that a provider's file grants, may come back with the next login. A path
is that of a trait, /traits/NAME, or of one in an object, /traits/NAME/NAME.`,
		Example: `  jithook identity edit ID --set /traits/title=Chair --remove /traits/phone
  jithook identity edit ID --set-json '/traits/languages=["de","fr"]' --add-group staff`,
		RunE: func(cmd *cobra.Command, args []string) error {
			body, err := a.body()
			if err != nil {
				return err
			}
			path, err := identityPath(args[0])
			if err != nil {
				return err
			}
			return e.from.with(func(c *client) error {
				if e.revision == 0 {
					i, _, err := getIdentity(cmd, c, path)
					if err != nil {
						return err
					}
					e.revision = i.Revision
				}
				return e.run(cmd, c, http.MethodPatch, path, body)
			})
		},
	})
	a.bind(cmd)
	return cmd
}

// amendments are the flags of an edit.
type amendments struct {
	set, setJSON, remove, addGroup, removeGroup []string
}

func (a *amendments) bind(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&a.set, "set", nil, "`PATH=TEXT`: a trait becomes this text")
	cmd.Flags().StringArrayVar(&a.setJSON, "set-json", nil, "`PATH=JSON`: a trait becomes this JSON value")
	cmd.Flags().StringArrayVar(&a.remove, "remove", nil, "the `PATH` of a trait to remove")
	cmd.Flags().StringArrayVar(&a.addGroup, "add-group", nil, "the `NAME` of a group to grant")
	cmd.Flags().StringArrayVar(&a.removeGroup, "remove-group", nil, "the `NAME` of a group to revoke, whoever granted it")
}

// body is the document of the edit.
func (a *amendments) body() ([]byte, error) {
	b := admin.Amendment{Traits: map[string]*any{}, Groups: admin.Memberships{Add: a.addGroup, Remove: a.removeGroup}}
	note := func(flag, path string, v *any) error {
		name, ok := strings.CutPrefix(path, "/traits/")
		if !ok || slices.Contains(strings.Split(name, "/"), "") || strings.Contains(name, "~") {
			return fmt.Errorf("--%s %q: the path of a trait is /traits/NAME, or /traits/NAME/NAME of one in an object", flag, path)
		}
		if _, twice := b.Traits[name]; twice {
			return fmt.Errorf("--%s %q: this trait is named twice", flag, path)
		}
		b.Traits[name] = v
		return nil
	}
	for _, flag := range []struct {
		name   string
		values []string
	}{{"set", a.set}, {"set-json", a.setJSON}} {
		for _, s := range flag.values {
			path, text, ok := strings.Cut(s, "=")
			value := any(text)
			switch {
			case !ok:
				return nil, fmt.Errorf("--%s %q: a value is missing: PATH=VALUE", flag.name, path)
			case flag.name == "set-json" && (!json.Valid([]byte(text)) || strings.TrimSpace(text) == "null"):
				return nil, fmt.Errorf("--set-json %q: the value is no JSON, or null, which --remove is for", path)
			case flag.name == "set-json":
				value = json.RawMessage(text)
			}
			if err := note(flag.name, path, &value); err != nil {
				return nil, err
			}
		}
	}
	for _, path := range a.remove {
		if err := note("remove", path, nil); err != nil {
			return nil, err
		}
	}
	if len(b.Traits)+len(a.addGroup)+len(a.removeGroup) == 0 {
		return nil, errors.New("nothing is to be changed: --set, --set-json, --remove, --add-group or --remove-group")
	}
	return json.Marshal(b)
}

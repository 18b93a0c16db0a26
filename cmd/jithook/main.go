// Command jithook is the just-in-time provisioning hook: the server, and the
// commands of who runs it. It reads the configuration and wires the packages
// together; nothing imports it and no business rule lives here.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"github.com/spf13/cobra"
)

// errNo says that a command did what it was asked, and the answer is no: exit
// code 2. Whoever returns it has printed why.
var errNo = errors.New("the answer is no")

func main() { os.Exit(run()) }

// run returns the exit code: 0 yes, 1 could not do it, 2 done and the answer is
// no.
func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := newRoot()
	root.SetArgs(goStyle(os.Args[1:]))
	err := root.ExecuteContext(ctx)
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errNo):
		return 2
	}
	fmt.Fprintln(os.Stderr, "jithook:", err)
	return 1
}

// goStyle returns the arguments with -update, as Go's own tests have it, for what
// pflag would take for six flags.
func goStyle(args []string) []string {
	if len(args) < 2 || args[0] != "map" || args[1] != "test" {
		return args
	}
	args = slices.Clone(args)
	for n, a := range args {
		if a == "-update" {
			args[n] = "--update"
		}
	}
	return args
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "jithook",
		Short: "Just-in-time provisioning hook for identity servers",
		Long: `jithook decides, in the middle of a federated sign-in, whether the person may
have an account, creates or updates it in a userstore, and says why.

Exit codes: 0 yes · 1 could not do it (usage, I/O, malformed) ·
            2 done, and the answer is no (problems found, login denied)`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(newDevCmd(), newServeCmd(), newCheckCmd(), newSchemaCmd(), newPlanCmd(), newIdentityCmd(), newLinksCmd(), newHoldsCmd(),
		newDecisionsCmd(), newReplayCmd(), newOutboundCmd(), newStoreCmd(), newMapCmd(), newKratosCmd(), newVersionCmd())
	speakPlainly(root)
	return root
}

// group returns a command that has only others below it. Alone it prints its
// help; cobra would do the same for a slip, and call it a success.
func group(use, short string, below ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use: use, Short: short, DisableFlagsInUseLine: true, SuggestionsMinimumDistance: 2,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			fmt.Fprint(cmd.ErrOrStderr(), cmd.UsageString()+"\n")
			hint := ""
			if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
				hint = ", did you mean " + near[0] + "?"
			}
			return fmt.Errorf("unknown command %q for %q%s", args[0], cmd.CommandPath(), hint)
		},
	}
	cmd.AddCommand(below...)
	return cmd
}

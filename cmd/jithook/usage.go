package main

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// screen is how wide a terminal is that nobody has widened, in columns.
const screen = 80

// speakPlainly has every command show its help on a narrow terminal, and say of a
// slip what the command takes, in words that are not those of its parser.
func speakPlainly(root *cobra.Command) {
	usage := root.UsageFunc()
	root.SetUsageFunc(func(cmd *cobra.Command) error {
		var text bytes.Buffer
		w := cmd.OutOrStderr()
		cmd.SetOut(&text)
		err := usage(cmd)
		cmd.SetOut(w)
		fmt.Fprint(w, narrow(text.String()))
		return err
	})
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		var value *pflag.InvalidValueError
		var number *strconv.NumError
		if errors.As(err, &value) && errors.As(err, &number) {
			err = fmt.Errorf("--%s: %q is no %s that can be used", value.GetFlag().Name, value.GetValue(), map[bool]string{true: "word (true or false)", false: "number"}[number.Func == "ParseBool"])
		}
		return fmt.Errorf("%w (see %s --help)", err, cmd.CommandPath())
	})
	eachBelow(root, func(cmd *cobra.Command) {
		if takes := cmd.Args; takes != nil {
			cmd.Args = func(cmd *cobra.Command, args []string) error {
				if err := takes(cmd, args); err != nil {
					return fmt.Errorf("%w: %s", err, cmd.UseLine())
				}
				return nil
			}
		}
	})
}

func eachBelow(cmd *cobra.Command, do func(*cobra.Command)) {
	for _, below := range cmd.Commands() {
		do(below)
		eachBelow(below, do)
	}
}

// flagLine is a line of a help that describes a flag: what comes before the
// description, and that.
var flagLine = regexp.MustCompile(`^( +(?:-\w, )?--[\w-]+(?: [^ ]+)? {3,})(.*)$`)

// narrow breaks the lines that describe flags.
func narrow(help string) string {
	var out strings.Builder
	for line := range strings.Lines(help) {
		m := flagLine.FindStringSubmatch(strings.TrimRight(line, "\n"))
		if len(line) <= screen || m == nil {
			out.WriteString(line)
			continue
		}
		out.WriteString(strings.TrimRight(m[1], " "))
		at := len(strings.TrimRight(m[1], " "))
		for _, word := range strings.Fields(m[2]) {
			switch {
			case at < len(m[1]):
				out.WriteString(strings.Repeat(" ", len(m[1])-at) + word)
				at = len(m[1]) + len(word)
			case at+1+len(word) > screen:
				out.WriteString("\n" + strings.Repeat(" ", len(m[1])) + word)
				at = len(m[1]) + len(word)
			default:
				out.WriteString(" " + word)
				at += 1 + len(word)
			}
		}
		out.WriteString("\n")
	}
	return out.String()
}

package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"loggia/api/client"
)

// cli is what every subcommand shares.
type cli struct {
	out, err io.Writer
	format   string // table, json, yaml
	address  []string
	token    string
	cacert   string
	profile  string
}

func newRoot(out, errOut io.Writer) *cobra.Command {
	c := &cli{out: out, err: errOut}
	root := &cobra.Command{
		Use:   "loggia",
		Short: "A compute gallery that you run yourself",
		Long: `loggia publishes VM images in one region, copies to others only what they lack, and pulls
them anywhere, verified.

Exit codes: 0 ok, 1 failed, 2 usage or invalid input, 3 not found, 4 denied, 5 conflict,
6 some regions failed, 7 no leader, 8 unreachable, 9 verification failed, 130 interrupted.

Environment: LOGGIA_ADDRESS (https URLs, comma separated), LOGGIA_TOKEN, LOGGIA_CACERT, LOGGIA_OUTPUT.`,
		Version:       version,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetOut(out)
	root.SetErr(errOut)
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error { return c.checkFormat(cmd) }
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	f := root.PersistentFlags()
	f.StringVarP(&c.format, "output", "o", env("LOGGIA_OUTPUT", "table"), "table, json or yaml (for pull: the file)")
	f.StringSliceVar(&c.address, "address", split(os.Getenv("LOGGIA_ADDRESS")), "https URLs of nodes (LOGGIA_ADDRESS)")
	f.StringVar(&c.token, "token", "", "access token (LOGGIA_TOKEN)")
	f.StringVar(&c.profile, "profile", "", "directory for profiles of this command: CPU, heap, waiting")
	f.StringVar(&c.cacert, "cacert", os.Getenv("LOGGIA_CACERT"), "file with the cluster's CA (LOGGIA_CACERT)")
	root.AddCommand(
		c.serverCommand(), c.devCommand(),
		c.regionCommand(), c.galleryCommand(), c.imageCommand(), c.versionCommand(),
		c.publishCommand(), c.uploadCommand(), c.appCommand(), c.statusCommand(), c.waitCommand(), c.limitCommand(), c.pauseCommand(), c.resumeCommand(), c.pullCommand(), c.verifyCommand(),
		c.membersCommand(), c.tokenCommand(), c.operatorCommand(),
		c.aclCommand(), c.loginCommand(), c.logoutCommand(), c.whoamiCommand(),
	)
	wrapArgs(root)
	c.complete(root)
	c.profiled(root)
	return root
}

// wrapArgs makes every complaint about arguments a usage error, an unknown subcommand too.
func wrapArgs(cmd *cobra.Command) {
	if cmd.HasSubCommands() && !cmd.Runnable() {
		cmd.Args = cobra.ArbitraryArgs
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{fmt.Errorf("unknown command %q for %q", args[0], cmd.CommandPath())}
			}
			return cmd.Help()
		}
	}
	if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return usageError{fmt.Errorf("%w\nUsage: %s", err, cmd.UseLine())}
			}
			return nil
		}
	}
	for _, sub := range cmd.Commands() {
		wrapArgs(sub)
	}
}

// client returns a client of the cluster that flags and environment name.
func (c *cli) client() (*client.Client, error) {
	token := c.token
	if token == "" {
		token = os.Getenv("LOGGIA_TOKEN")
	}
	if token == "" {
		var err error
		if token, err = savedToken(c.address, time.Now()); err != nil {
			return nil, err
		}
	}
	return c.clientWith(token)
}

func (c *cli) clientWith(token string) (*client.Client, error) {
	cl, err := client.New(client.Options{Addresses: c.address, Token: token, CACert: c.cacert, Agent: "loggia/" + version})
	if err != nil {
		return nil, usageError{err}
	}
	return cl, nil
}

// call makes a subcommand's body that needs a client.
func (c *cli) call(run func(cmd *cobra.Command, cl *client.Client, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		cl, err := c.client()
		if err != nil {
			return err
		}
		defer cl.Close()
		return run(cmd, cl, args)
	}
}

func env(name, otherwise string) string {
	if v, ok := os.LookupEnv(name); ok {
		return v
	}
	return otherwise
}

func split(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, ",")
}

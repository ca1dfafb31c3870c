// Command netlab runs a command in a lab of network namespaces with distance between them.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"loggia/testing/netlab"
)

const usage = `usage: netlab run --regions a,b,c [flags] -- COMMAND [ARG...]

COMMAND runs in the first region, or in the one that --in names. Its environment has, for each region,
  NETLAB_ADDR_<REGION>  an address of the region
  NETLAB_NS_<REGION>    its namespace: nsenter --net="$NETLAB_NS_B" COMMAND runs in region b
with the name in upper case and _ for what is no letter or digit. The lab ends with COMMAND, and
netlab with its exit status: 2 is wrong usage, 125 no lab, 127 no such command. Needs root.

`

// Exit statuses of our own. That of COMMAND is passed on; 128 and the signal's number, if one killed it.
const (
	exitUsage   = 2
	exitNoLab   = 125
	exitNoStart = 127
)

var (
	errUsage     = errors.New("wrong usage") // what is wrong has been printed
	errNoCommand = errors.New("cannot run the command")
)

// exitError is the exit status of the command.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGHUP)
	// Ctrl-C is for COMMAND, which is in the same process group; a shell goes on after it. To ignore
	// the signal instead would make COMMAND ignore it too.
	signal.Notify(make(chan os.Signal, 1), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stderr)
	stop()
	var exit exitError
	switch {
	case err == nil:
	case errors.Is(err, errUsage):
		os.Exit(exitUsage)
	case errors.As(err, &exit):
		os.Exit(int(exit))
	default:
		fmt.Fprintln(os.Stderr, "netlab: "+err.Error())
		if errors.Is(err, errNoCommand) {
			os.Exit(exitNoStart)
		}
		os.Exit(exitNoLab)
	}
}

// task is what the arguments ask for.
type task struct {
	lab     netlab.Options
	in      string
	command []string
}

func parse(args []string, out io.Writer) (t task, err error) {
	flags := flag.NewFlagSet("netlab run", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.Usage = func() {
		fmt.Fprint(out, usage)
		flags.PrintDefaults()
	}
	regions := flags.String("regions", "", "names of the regions, with commas between them")
	flags.DurationVar(&t.lab.RTT, "rtt", 100*time.Millisecond, "round trip between any two regions")
	flags.IntVar(&t.lab.RateMbit, "rate", 0, "of each region's line, each way, in Mbit/s; 0 is no limit")
	flags.IntVar(&t.lab.TCPBuffer, "tcp-buffer", 0, "most that a TCP socket buffers, in bytes; 0 is the kernel's own")
	flags.StringVar(&t.in, "in", "", "the region that the command runs in (default: the first)")
	if len(args) == 0 || args[0] != "run" {
		flags.Usage()
		return t, errUsage
	}
	if flags.Parse(args[1:]) != nil {
		return t, errUsage
	}
	t.lab.Regions, t.command = strings.Split(*regions, ","), flags.Args()
	if t.in == "" {
		t.in = t.lab.Regions[0]
	}
	if err := t.validate(); err != nil {
		fmt.Fprintf(out, "netlab: %v\n", err)
		return t, errUsage
	}
	return t, nil
}

func (t task) validate() error {
	errs := []error{t.lab.Validate()}
	variables := map[string]string{}
	known := false
	for _, r := range t.lab.Regions {
		known = known || r == t.in
		if other, twice := variables[variable(r)]; twice && other != r {
			errs = append(errs, fmt.Errorf("regions %s and %s have one name in the environment, %s", other, r, variable(r)))
		}
		variables[variable(r)] = r
	}
	if !known {
		errs = append(errs, fmt.Errorf("region %q is not one of %s", t.in, strings.Join(t.lab.Regions, ", ")))
	}
	if len(t.command) == 0 {
		errs = append(errs, errors.New("no command after --"))
	}
	return errors.Join(errs...)
}

// variable is a region's name as part of an environment variable's.
func variable(region string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, strings.ToUpper(region))
}

func run(ctx context.Context, args []string, out io.Writer) (err error) {
	t, err := parse(args, out)
	if err != nil {
		return err
	}
	if _, err := exec.LookPath(t.command[0]); err != nil {
		return fmt.Errorf("%w: %w", errNoCommand, err)
	}
	lab, err := netlab.New(t.lab)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lab.Close()) }()
	cmd := lab.CommandContext(ctx, t.in, t.command[0], t.command[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), environment(lab, t.lab.Regions)...)
	// The command stays with the terminal, so that a shell can be one.
	cmd.SysProcAttr.Setpgid = false
	return status(cmd.Run())
}

func environment(lab *netlab.Lab, regions []string) (env []string) {
	for _, r := range regions {
		env = append(env,
			fmt.Sprintf("NETLAB_ADDR_%s=%s", variable(r), lab.Addr(r, 0)),
			fmt.Sprintf("NETLAB_NS_%s=%s", variable(r), lab.Namespace(r)))
	}
	return env
}

// status is the command's exit status as a shell counts it.
func status(err error) error {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return err
	}
	if s := exit.Sys().(syscall.WaitStatus); s.Signaled() {
		return exitError(128 + int(s.Signal()))
	}
	return exitError(exit.ExitCode())
}

package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"loggia/api/client"
)

// completeFor is how long a shell waits for names from the cluster.
const completeFor = 2 * time.Second

// words are what a shell may put where something was typed. One that ends with / or = may go on.
type words func(ctx context.Context, cl *client.Client, typed string) []string

// complete lets the shell complete arguments and flags with what the cluster has.
func (c *cli) complete(root *cobra.Command) {
	for path, steps := range map[string][]words{
		"gallery show": {path(1)}, "gallery delete": {path(1)}, "image list": {path(1)}, "image show": {path(2)}, "image delete": {path(2)},
		"version list": {path(2)}, "version show": {path(3)}, "version update": {path(3)}, "version delete": {path(3)},
		"publish": {nil, path(2)}, "verify": {nil, path(3)}, "pull": {path(3)}, "status": {path(3)}, "wait": {path(3)},
		"region show": {knownRegions}, "region remove": {knownRegions},
	} {
		cmd, _, err := root.Find(strings.Fields(path))
		if err != nil {
			panic(err) // a path above is wrong
		}
		cmd.ValidArgsFunction = func(_ *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
			switch {
			case len(args) >= len(steps):
				return nil, cobra.ShellCompDirectiveNoFileComp
			case steps[len(args)] == nil:
				return nil, cobra.ShellCompDirectiveDefault // a file
			}
			return c.propose(steps[len(args)], typed)
		}
	}
	c.completeFlags(root)
}

// completeFlags goes through all commands. The daemons' regions are new names: nothing is proposed there.
func (c *cli) completeFlags(cmd *cobra.Command) {
	fixed := map[string][]string{
		"format": {"raw", "qcow2", "vhd", "vhdx", "vmdk"}, "wait": {"all", "local", "none"}, "for": {"all", "local"}, "seat": {"voter", "standby"},
		"os-type": {"Linux", "Windows"}, "os-state": {"Generalized", "Specialized"}, "generation": {"V1", "V2"}, "architecture": {"x64", "Arm64"},
	}
	if cmd.Name() == "pull" { // what is written, not what is read
		fixed["format"] = []string{"raw", "qcow2", "vhd", "vhd-dynamic"}
	}
	asked := map[string]words{"regions": moreRegions, "region": knownRegions, "location": knownRegions, "base": path(3)}
	has := func(flag string) bool { return cmd.LocalNonPersistentFlags().Lookup(flag) != nil }
	for flag, list := range fixed {
		if has(flag) {
			_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(list, cobra.ShellCompDirectiveNoFileComp)) // it is there, and once
		}
	}
	for flag, ask := range asked {
		if has(flag) && cmd.Name() != "server" && cmd.Name() != "dev" {
			_ = cmd.RegisterFlagCompletionFunc(flag, func(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
				return c.propose(ask, typed)
			})
		}
	}
	if !cmd.HasParent() {
		_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(formats[:3], cobra.ShellCompDirectiveNoFileComp))
	}
	for _, sub := range cmd.Commands() {
		c.completeFlags(sub)
	}
}

// propose asks for words that begin with what was typed. A cluster that cannot be asked has none to offer.
func (c *cli) propose(ask words, typed string) ([]string, cobra.ShellCompDirective) {
	cl, err := c.client()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(context.Background(), completeFor)
	defer cancel()
	directive := cobra.ShellCompDirectiveNoFileComp
	var out []string
	for _, w := range ask(ctx, cl, typed) {
		if strings.HasPrefix(w, typed) {
			out = append(out, w)
		}
		if strings.HasSuffix(w, "/") {
			directive |= cobra.ShellCompDirectiveNoSpace
		}
	}
	return out, directive
}

// path proposes the next part of a name of so many parts: GALLERY, GALLERY/IMAGE or GALLERY/IMAGE/VERSION.
func path(parts int) words {
	return func(ctx context.Context, cl *client.Client, typed string) []string {
		have := strings.Split(typed, "/")
		have = have[:len(have)-1]
		var names []string
		switch len(have) {
		case 0:
			l, _ := cl.Galleries(ctx) // nothing to offer is no error
			for _, g := range l.Value {
				names = append(names, g.Name)
			}
		case 1:
			l, _ := cl.Images(ctx, have[0])
			for _, i := range l.Value {
				names = append(names, i.Name)
			}
		case 2:
			l, _ := cl.Versions(ctx, have[0], have[1])
			for _, v := range l.Value {
				names = append(names, v.Name)
			}
			if len(names) > 0 {
				names = append(names, "latest")
			}
		}
		last := ""
		if len(have)+1 < parts {
			last = "/"
		}
		for i, n := range names {
			names[i] = strings.Join(append(have, n), "/") + last
		}
		return names
	}
}

func knownRegions(ctx context.Context, cl *client.Client, _ string) []string {
	var out []string
	l, _ := cl.Regions(ctx) // nothing to offer is no error
	for _, r := range l.Value {
		out = append(out, r.Name)
	}
	return out
}

// moreRegions proposes the next of REGION,REGION,...
func moreRegions(ctx context.Context, cl *client.Client, typed string) []string {
	before := typed[:strings.LastIndexByte(typed, ',')+1]
	var out []string
	for _, r := range knownRegions(ctx, cl, "") {
		if !strings.Contains(","+before, ","+r+",") && !strings.Contains(","+before, ","+r+"=") {
			out = append(out, before+r)
		}
	}
	return out
}

package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"

	"loggia/testing/gotools"
)

// fromProxy are peers that the Go module proxy has. The others are Debian's, or are measured where
// they are on the path.
var fromProxy = []string{
	"github.com/minio/mc@v0.0.0-20250313080218-cf909e1063a9",
	"github.com/rclone/rclone@v1.76.0",
}

func installAll(ctx context.Context) error {
	for _, pkg := range fromProxy {
		if _, err := gotools.Install(ctx, pkg, os.Stdout); err != nil {
			return err
		}
	}
	return nil
}

// find puts the folder of tools first on the path: mc is also the name of a file manager. It tells scripts where this program is.
func find() error {
	dir, err := gotools.Dir()
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if err := os.Setenv("PEERS", self); err != nil {
		return err
	}
	return os.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
}

// chooseTools settles which tools take part, and why the others do not.
func (b *bench) chooseTools(ctx context.Context, names string) error {
	if err := find(); err != nil {
		return err
	}
	want := toolNames()
	if names != "" {
		want = strings.Split(names, ",")
	}
	b.Tools, b.Missing = map[string]string{}, map[string]string{}
	for _, name := range want {
		i := slices.IndexFunc(allTools, func(t tool) bool { return t.Name == name })
		if i < 0 {
			return fmt.Errorf("-tools: no tool %q; there are: %s", name, strings.Join(toolNames(), " "))
		}
		t := allTools[i]
		if why := t.lacks(b.Store); why != "" {
			b.Missing[name] = why
			fmt.Printf("left out: %s: %s\n", name, why)
			continue
		}
		cmd := exec.CommandContext(ctx, "bash", "-c", t.version)
		cmd.Env = append(os.Environ(), "LOGGIA="+b.Loggia)
		out, err := cmd.CombinedOutput()
		if err != nil {
			return fmt.Errorf("%s: its version: %w: %s", name, err, out)
		}
		for step, script := range t.perhaps {
			cmd := exec.CommandContext(ctx, "bash", "-o", "pipefail", "-c", script)
			cmd.Env = append(os.Environ(), "LOGGIA="+b.Loggia)
			if cmd.Run() != nil {
				t.steps = maps.Clone(t.steps)
				delete(t.steps, step)
				b.Missing[name+" "+step] = "this build does not have it"
				b.jobs = slices.DeleteFunc(slices.Clone(b.jobs), func(j job) bool { return j.step == step && name == loggia })
			}
		}
		b.Tools[name] = strings.TrimSpace(string(out))
		b.tools = append(b.tools, t)
	}
	if b.Store != "filesystem" && errors.Is(haveProgram("mc"), exec.ErrNotFound) {
		return errors.New("mc makes the buckets of all and is not installed: run with -install first")
	}
	if len(b.tools) == 0 {
		return errors.New("no tool takes part")
	}
	return nil
}

func haveProgram(name string) error {
	_, err := exec.LookPath(name)
	return err
}

// lacks says why a tool cannot take part, or nothing.
func (t tool) lacks(store string) string {
	if t.s3Only && store == "filesystem" {
		return "it copies to S3 only"
	}
	for _, p := range t.programs {
		if haveProgram(p) != nil {
			return p + " is not installed"
		}
	}
	return ""
}

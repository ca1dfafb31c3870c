// Package bare is Loggia's own transfer engine with nothing around it: one process, straight to the stores of two regions.
//
// There is no node, no log and no client, so nobody is authenticated, no frame is unpacked to be checked for somebody else, nothing
// is checkpointed to go on from, and nothing crosses a process between the engine and the store. What is written is a repository of
// the usual format: trees, tables, packs and segments. What it takes is the engine's part of Loggia's time; the rest is the price of
// going through nodes.
//
// Steps are processes of their own, as those of other tools. What the log would know between them lies in a file of the work folder.
package bare

import (
	"context"
	"fmt"
	"os"
	"strings"

	"loggia/blobstore"
	"loggia/blobstore/s3"
)

// Arg is the word by which the rig's binary is this tool; the step follows.
const Arg = "bare"

// task is one step and where it finds things.
type task struct {
	work, image, name, out, seed string
	checked                      bool // frames are unpacked and their chunks hashed once more, as whoever takes them from others has to
	dial                         func(region string, sum blobstore.Checksum) (blobstore.Store, error)
	known                        *state
}

var steps = map[string]func(*task, context.Context) error{
	"prepare": (*task).prepare, "publish": (*task).publish, "publish-checked": (*task).publishChecked,
	"replicate": (*task).replicate, "blind": (*task).blind, "hashed": (*task).hashed, "relayed": (*task).relayed, "put": (*task).put, "pull": (*task).pull,
}

// Run does a step; the environment is that of the rig's scripts.
func Run(ctx context.Context, step string) error {
	t := &task{work: os.Getenv("WORK"), image: os.Getenv("IMAGE"), name: os.Getenv("NAME"), out: os.Getenv("OUT"), seed: os.Getenv("SEED"), dial: dialS3}
	return t.run(ctx, step)
}

func (t *task) run(ctx context.Context, step string) (err error) {
	do, ok := steps[step]
	if !ok {
		return fmt.Errorf("bare: no step %q", step)
	}
	if t.known, err = load(t.work); err != nil {
		return err
	}
	if err := do(t, ctx); err != nil {
		return fmt.Errorf("bare %s: %w", step, err)
	}
	return t.known.save(t.work)
}

// dialS3 opens a region's bucket as a node does.
func dialS3(region string, sum blobstore.Checksum) (blobstore.Store, error) {
	return s3.Open(s3.Options{Endpoint: os.Getenv(strings.ToUpper(region)), Bucket: os.Getenv("BUCKET"), CAFile: os.Getenv("CA"), Checksum: sum,
		Credentials: s3.Credentials{AccessKeyEnv: "AWS_ACCESS_KEY_ID", SecretKeyEnv: "AWS_SECRET_ACCESS_KEY"}})
}

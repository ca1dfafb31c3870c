package clusterlab

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// helperArg makes a rig's own binary the helper of its S3 servers.
const helperArg = "s3"

// Main is the main function of a rig: it ends with what run returns, interrupted by a signal. A rig
// with S3 servers starts itself again to run them; then run is not called.
func Main(name string, run func(context.Context) error) {
	var err error
	if len(os.Args) == 5 && os.Args[1] == helperArg {
		err = ServeS3(os.Args[2], os.Args[3], os.Args[4])
	} else {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		err = run(ctx)
		stop()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, name+": FAILED: "+err.Error())
		os.Exit(1)
	}
}

package clusterlab

import (
	"os/exec"
	"runtime"
)

// spawner starts processes from one thread that lives as long as the cluster. The kernel kills a
// child with a parent-death signal when the thread that forked it ends, and threads that were
// inside a network namespace do end.
type spawner struct {
	starts chan func()
	ended  chan struct{}
}

func newSpawner() *spawner {
	s := &spawner{starts: make(chan func()), ended: make(chan struct{})}
	go func() { // ends with close
		defer close(s.ended)
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		for fn := range s.starts {
			fn()
		}
	}()
	return s
}

func (s *spawner) start(cmd *exec.Cmd) error {
	err := make(chan error)
	s.starts <- func() { err <- cmd.Start() }
	return <-err
}

func (s *spawner) close() {
	close(s.starts)
	<-s.ended
}

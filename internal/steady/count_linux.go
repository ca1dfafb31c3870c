package steady

import (
	"time"

	"golang.org/x/sys/unix"
)

// Count returns what passed since the machine's start, sleep included.
func Count() time.Duration {
	var t unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &t) != nil {
		return time.Since(began)
	}
	return time.Duration(t.Nano())
}

var began = time.Now()

//go:build !linux

package steady

import "time"

// Count returns what passed since the process's start.
func Count() time.Duration { return time.Since(began) }

var began = time.Now()

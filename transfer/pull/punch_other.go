//go:build !linux

package pull

import "os"

// punch says that holes are to be written.
func punch(*os.File, int64, int64) bool { return false }

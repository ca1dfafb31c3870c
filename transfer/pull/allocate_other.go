//go:build !linux

package pull

import "os"

func allocate(*os.File, int64, int64) {}

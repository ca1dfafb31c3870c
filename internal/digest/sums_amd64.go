//go:build !purego

package digest

import "github.com/klauspost/cpuid/v2"

// paired says whether this processor has what blocks needs.
var paired = cpuid.CPU.Supports(cpuid.AVX, cpuid.SHA)

// blocks takes n blocks of two messages into their states, n at least 0.
//
//go:noescape
func blocks(a, b *state, p, q *byte, n int)

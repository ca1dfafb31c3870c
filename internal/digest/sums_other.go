//go:build !amd64 || purego

package digest

// paired: blocks is for processors of one kind only. crypto/sha256 uses what others have.
const paired = false

func blocks(_, _ *state, _, _ *byte, _ int) { panic("digest: no blocks for this processor") }

package main

import (
	"context"
	"errors"
	"io/fs"

	"loggia/diskformat"
	"loggia/gallery"
	"loggia/transfer/pull"
)

// The exit codes, part of the interface for scripts.
const (
	exitOK           = 0
	exitFailed       = 1 // anything not below
	exitUsage        = 2 // bad arguments, or input that breaks a rule
	exitNotFound     = 3
	exitDenied       = 4 // the token is wrong, expired or not allowed to do this
	exitConflict     = 5
	exitSomeFailed   = 6 // some regions failed
	exitNoLeader     = 7
	exitUnreachable  = 8 // no node answered, or a store or file cannot be reached
	exitVerification = 9
	exitInterrupted  = 130
)

// errUsage marks errors in how the command was called; errSomeFailed that regions failed.
var (
	errUsage      = errors.New("usage")
	errSomeFailed = errors.New("some regions failed")
)

// usageError carries a message for people and is errUsage.
type usageError struct{ error }

func (usageError) Is(target error) bool { return target == errUsage }

var exitTable = []struct {
	kind error
	code int
}{
	{errUsage, exitUsage},
	{errSomeFailed, exitSomeFailed},
	{gallery.ErrVerification, exitVerification},
	{gallery.ErrNotFound, exitNotFound},
	{gallery.ErrInvalid, exitUsage},
	{gallery.ErrConflict, exitConflict},
	{gallery.ErrImmutable, exitConflict},
	{gallery.ErrPrecondition, exitConflict},
	{gallery.ErrNotAllowed, exitConflict},
	{gallery.ErrUnauthenticated, exitDenied},
	{gallery.ErrForbidden, exitDenied},
	{gallery.ErrNoLeader, exitNoLeader},
	{gallery.ErrUnknownOutcome, exitNoLeader},
	{gallery.ErrUnavailable, exitUnreachable},
	{context.Canceled, exitInterrupted},
	{diskformat.ErrEmpty, exitUsage},
	{diskformat.ErrNotRegular, exitUsage},
	{diskformat.ErrUnaligned, exitUsage},
	{diskformat.ErrFormat, exitUsage},
	{diskformat.ErrTruncated, exitUsage},
	{diskformat.ErrInconsistent, exitUsage},
	{diskformat.ErrExternal, exitUsage},
	{diskformat.ErrEncrypted, exitUsage},
	{diskformat.ErrUnsupported, exitUsage},
	{diskformat.ErrTooLarge, exitUsage},
	{diskformat.ErrChanged, exitUsage},
	{pull.ErrOutput, exitUsage},
	{fs.ErrNotExist, exitUnreachable},
}

// exitCode says how a command that ended with err leaves.
func exitCode(err error) int {
	if err == nil {
		return exitOK
	}
	for _, e := range exitTable {
		if errors.Is(err, e.kind) {
			return e.code
		}
	}
	return exitFailed
}

// Package collect finds and deletes what no disk in a repository needs any more, and compacts what is mostly that.
//
// DESIGN.md has the protocol. A Run makes a list of keys and the segments that no longer name them; its caller commits both to the log,
// and Sweep deletes the list when the log gives leave.
package collect

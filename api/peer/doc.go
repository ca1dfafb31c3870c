// Package peer is how nodes of one cluster talk to each other: HTTP/1.1 over mutual TLS on the
// node's one port (ALPN loggia-peer).
//
//	POST /peer/v1/propose               command -> result; only what a node may report of itself
//	GET  /peer/v1/term                  the node's raft term
//	POST /peer/v1/read-index            the leader's read index
//	GET  /peer/v1/hash?index=           the state's hash at an index
//	GET  /peer/v1/live                  transfers under way
//	POST /peer/v1/disks/{disk}/frames   wanted chunks -> frames, or links to them (docs/formats/wire.md)
//	GET  /peer/v1/disks/{disk}/have     pieces of a copy in the making (docs/formats/pieces.md)
//	POST /peer/v1/shares                how limits are divided, between nodes of a region and to sources
//	ANY  /forward/...                   a person's request, whole, with that person's credentials
package peer

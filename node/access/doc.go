// Package access decides who asks and what they may do, from the node's own state: it works without a leader.
package access

// Package asking sends writes to the leader, and says of one that was not answered whether it may have been taken.
package asking

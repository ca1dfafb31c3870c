// Package probe finds out what a store can do, by trying.
package probe

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"loggia/blobstore"
)

// Abilities are what a probe found. They are kept in the log and shown; fields are only added.
type Abilities struct {
	ReadAfterWrite bool `json:"readAfterWrite"`
	ListAfterWrite bool `json:"listAfterWrite"` // an observation, not a promise: never rely on a listing
	Range          bool `json:"range"`
	Overwrite      bool `json:"overwrite"` // a second put of the same bytes is taken
	Delete         bool `json:"delete"`
	ConditionalPut bool `json:"conditionalPut"` // If-None-Match is really enforced
	ServerCopy     bool `json:"serverCopy"`
	Capacity       bool `json:"capacity"` // the store says how much room it has
	Links          bool `json:"links"`    // a link opens its range and no other

	// Checksum is the cheapest one that the store enforces, or "none"; Enforced lists them all.
	Checksum blobstore.Checksum   `json:"checksum"`
	Enforced []blobstore.Checksum `json:"enforced,omitempty"`

	SkewMillis  int64    `json:"skewMillis"`  // the store's clock minus ours; exact to about 1,000
	SkewAlarm   bool     `json:"skewAlarm"`   // above a minute: somebody should look
	ExpiryRules []string `json:"expiryRules"` // rules by which the store deletes by itself

	ProbedAt time.Time `json:"probedAt"`
}

// Bounds of the clock's skew. S3 services refuse requests beyond 15 minutes.
const (
	SkewAlarm  = time.Minute
	SkewRefuse = 15 * time.Minute
)

// ErrUnfit says that a store cannot be used. Its message names every reason.
var ErrUnfit = errors.New("store is unfit")

// check returns an error wrapping ErrUnfit when the store lacks what nobody can do without.
func (a Abilities) check() error {
	if a.skew() > SkewRefuse { // nothing else was tried
		return fmt.Errorf("%w: its clock is %v away from ours, more than %v", ErrUnfit, a.skew(), SkewRefuse)
	}
	var reasons []string
	for _, c := range []struct {
		ok     bool
		reason string
	}{
		{a.ReadAfterWrite, "an object that was put cannot be read back"},
		{a.Range, "ranges of an object cannot be read"},
		{a.Overwrite, "the same bytes cannot be put twice"},
		{a.Delete, "objects cannot be deleted"},
		{len(a.ExpiryRules) == 0, "it would delete our objects by itself, by rules " + strings.Join(a.ExpiryRules, ", ")},
	} {
		if !c.ok {
			reasons = append(reasons, c.reason)
		}
	}
	if len(reasons) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %s", ErrUnfit, strings.Join(reasons, "; "))
}

func (a Abilities) skew() time.Duration {
	return (time.Duration(a.SkewMillis) * time.Millisecond).Abs()
}

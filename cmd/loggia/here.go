package main

import (
	"context"
	"errors"

	"loggia/api/client"
	"loggia/api/v1"
	"loggia/gallery"
)

// place is the node that was asked, as far as the caller may know.
type place struct {
	region       string
	subscription string
	regions      []v1.Region // empty: the caller may not see them
}

// here asks where a write would land. It refuses, before a byte is sent, where the cluster has no leader; who may not see
// the cluster's state hears of that from the write itself.
func here(ctx context.Context, cl *client.Client, op string) (place, error) {
	s, err := cl.Status(ctx)
	if errors.Is(err, gallery.ErrForbidden) {
		me, err := cl.Me(ctx)
		return place{region: me.Region, subscription: me.Subscription}, err
	}
	if err != nil {
		return place{}, err
	}
	if s.Leader == "" {
		return place{}, &gallery.Error{Kind: gallery.ErrNoLeader, Op: op, Message: "the cluster has no leader now; nothing was sent"}
	}
	return place{s.Region, s.Subscription, s.Regions}, nil
}

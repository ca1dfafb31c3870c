package main

import (
	"context"
	"fmt"
	"os"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	armcompute "github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"
)

// storyPoll makes a version and waits for it by its poller, whatever happens meanwhile: the rig kills the leader, or cuts a region off. It says
// "polling" when the wait begins.
func storyPoll(ctx context.Context, w *world) error {
	f, err := armcompute.NewClientFactory(w.sub, w.cred, w.options)
	if err != nil {
		return err
	}
	p, err := f.NewGalleryImageVersionsClient().BeginCreateOrUpdate(ctx, os.Getenv("STORY_GROUP"), os.Getenv("STORY_GALLERY"), os.Getenv("STORY_IMAGE"), os.Getenv("STORY_VERSION"),
		armcompute.GalleryImageVersion{Location: &w.regions[0], Properties: &armcompute.GalleryImageVersionProperties{
			PublishingProfile: &armcompute.GalleryImageVersionPublishingProfile{TargetRegions: targets(w, 1, 1, 1)},
			StorageProfile:    &armcompute.GalleryImageVersionStorageProfile{OSDiskImage: &armcompute.GalleryOSDiskImage{Source: &armcompute.GalleryDiskImageSource{ID: to.Ptr(w.snapshot)}}}}}, nil)
	if err != nil {
		return err
	}
	fmt.Println("polling")
	v, err := p.PollUntilDone(ctx, often)
	if err == nil {
		fmt.Println(*v.Properties.ProvisioningState)
	}
	return err
}

package main

import (
	"context"
	"fmt"
	"os"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	armcompute "github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/resources/armresources"
)

// storyWrite writes while there may be no leader: the SDK's own retries are all that it does about it.
func storyWrite(ctx context.Context, w *world) error {
	groups, err := armresources.NewResourceGroupsClient(w.sub, w.cred, w.options)
	if err != nil {
		return err
	}
	_, err = groups.CreateOrUpdate(ctx, "rg-between", armresources.ResourceGroup{Location: &w.regions[0]}, nil)
	return err
}

// storyWithdrawn deletes a version that cannot be done, while its poller waits.
func storyWithdrawn(ctx context.Context, w *world) error {
	w.group, w.gallery = os.Getenv("STORY_GROUP"), os.Getenv("STORY_GALLERY")
	c, err := w.as(w.sub, w.cred)
	if err != nil {
		return err
	}
	versions := c.f.NewGalleryImageVersionsClient()
	p, err := versions.BeginCreateOrUpdate(ctx, w.group, w.gallery, os.Getenv("STORY_IMAGE"), os.Getenv("STORY_VERSION"), versionOf(w), nil)
	if err != nil {
		return err
	}
	gone, err := versions.BeginDelete(ctx, w.group, w.gallery, os.Getenv("STORY_IMAGE"), os.Getenv("STORY_VERSION"), nil)
	if err == nil {
		_, err = gone.PollUntilDone(ctx, often)
	}
	if err != nil {
		return err
	}
	_, err = p.PollUntilDone(ctx, often)
	return expect([]refusal{{200, "ResourceDeleted", "a version that is deleted while it is made", err}})
}

// versionOf is a version of the snapshot in every region.
func versionOf(w *world) armcompute.GalleryImageVersion {
	return armcompute.GalleryImageVersion{Location: &w.regions[0], Properties: &armcompute.GalleryImageVersionProperties{
		PublishingProfile: &armcompute.GalleryImageVersionPublishingProfile{TargetRegions: targets(w, 1, 1, 1)},
		StorageProfile:    &armcompute.GalleryImageVersionStorageProfile{OSDiskImage: &armcompute.GalleryOSDiskImage{Source: &armcompute.GalleryDiskImageSource{ID: to.Ptr(w.snapshot)}}}}}
}

// storyPoll makes a version and waits for it by its poller, whatever happens meanwhile: the rig kills the leader, or cuts a region off. It says
// "polling" when the wait begins.
func storyPoll(ctx context.Context, w *world) error {
	f, err := armcompute.NewClientFactory(w.sub, w.cred, w.options)
	if err != nil {
		return err
	}
	p, err := f.NewGalleryImageVersionsClient().BeginCreateOrUpdate(ctx, os.Getenv("STORY_GROUP"), os.Getenv("STORY_GALLERY"), os.Getenv("STORY_IMAGE"), os.Getenv("STORY_VERSION"), versionOf(w), nil)
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

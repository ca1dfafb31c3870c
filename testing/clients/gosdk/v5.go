package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	armcompute "github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v5"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/resources/armresources"
)

// storyV5 is the life with an older SDK, whose writes must not destroy what it does not know.
func storyV5(ctx context.Context, w *world) error {
	f, err := armcompute.NewClientFactory(w.sub, w.cred, w.options)
	if err != nil {
		return err
	}
	groups, err := armresources.NewResourceGroupsClient(w.sub, w.cred, w.options)
	if err != nil {
		return err
	}
	if err := step("v5: gallery, definition, version", func() error { return makeV5(ctx, w, f, groups) }); err != nil {
		return err
	}
	versions := f.NewGalleryImageVersionsClient()
	return errors.Join(
		step("v5: GET, edit, PUT of the whole", func() error {
			v, err := versions.Get(ctx, w.group, w.gallery, "debian", "1.0.0", nil)
			if err != nil {
				return err
			}
			v.Properties.PublishingProfile.ExcludeFromLatest = to.Ptr(true)
			p, err := versions.BeginCreateOrUpdate(ctx, w.group, w.gallery, "debian", "1.0.0", v.GalleryImageVersion, nil)
			if err != nil {
				return err
			}
			after, err := p.PollUntilDone(ctx, often)
			if err == nil && (!*after.Properties.PublishingProfile.ExcludeFromLatest || len(after.Properties.PublishingProfile.TargetRegions) != 2) {
				err = fmt.Errorf("%+v", after.Properties.PublishingProfile)
			}
			return err
		}),
		step("v5: the group goes with all that it holds", func() error {
			p, err := groups.BeginDelete(ctx, w.group, nil)
			if err != nil {
				return err
			}
			if _, err := p.PollUntilDone(ctx, often); err != nil {
				return err
			}
			_, err = versions.Get(ctx, w.group, w.gallery, "debian", "1.0.0", nil)
			return refused(err, 404, "ResourceGroupNotFound")
		}))
}

func makeV5(ctx context.Context, w *world, f *armcompute.ClientFactory, groups *armresources.ResourceGroupsClient) error {
	if _, err := groups.CreateOrUpdate(ctx, w.group, armresources.ResourceGroup{Location: &w.regions[0]}, nil); err != nil {
		return err
	}
	g, err := f.NewGalleriesClient().BeginCreateOrUpdate(ctx, w.group, w.gallery, armcompute.Gallery{Location: &w.regions[0]}, nil)
	if err != nil {
		return err
	}
	if _, err := g.PollUntilDone(ctx, often); err != nil {
		return err
	}
	i, err := f.NewGalleryImagesClient().BeginCreateOrUpdate(ctx, w.group, w.gallery, "debian", armcompute.GalleryImage{Location: &w.regions[0],
		Properties: &armcompute.GalleryImageProperties{OSType: to.Ptr(armcompute.OperatingSystemTypesLinux), OSState: to.Ptr(armcompute.OperatingSystemStateTypesGeneralized),
			Identifier: &armcompute.GalleryImageIdentifier{Publisher: to.Ptr("p"), Offer: to.Ptr("o"), SKU: to.Ptr("s")}}}, nil)
	if err != nil {
		return err
	}
	if _, err := i.PollUntilDone(ctx, often); err != nil {
		return err
	}
	one, two := int32(1), int32(2)
	v, err := f.NewGalleryImageVersionsClient().BeginCreateOrUpdate(ctx, w.group, w.gallery, "debian", "1.0.0", armcompute.GalleryImageVersion{Location: &w.regions[0],
		Properties: &armcompute.GalleryImageVersionProperties{
			PublishingProfile: &armcompute.GalleryImageVersionPublishingProfile{TargetRegions: []*armcompute.TargetRegion{{Name: &w.regions[0], RegionalReplicaCount: &two}, {Name: &w.regions[1], RegionalReplicaCount: &one}}},
			StorageProfile:    &armcompute.GalleryImageVersionStorageProfile{OSDiskImage: &armcompute.GalleryOSDiskImage{Source: &armcompute.GalleryDiskImageSource{ID: &w.snapshot}}}}}, nil)
	if err != nil {
		return err
	}
	_, err = v.PollUntilDone(ctx, often)
	return err
}

package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	armcompute "github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v5"
	newer "github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"
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
	newest, err := newer.NewClientFactory(w.sub, w.cred, w.options)
	if err != nil {
		return err
	}
	return errors.Join(
		step("v5: GET, edit, PUT of the whole", func() error {
			if err := guard(ctx, w, newest, true); err != nil {
				return err
			}
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
		step("v5: what it does not know is still there", func() error {
			v, err := newest.NewGalleryImageVersionsClient().Get(ctx, w.group, w.gallery, "debian", "1.0.0", nil)
			if err != nil {
				return err
			}
			first := v.Properties.PublishingProfile.TargetRegions[0]
			if !*v.Properties.SafetyProfile.BlockDeletionBeforeEndOfLife || len(first.AdditionalReplicaSets) != 1 {
				return fmt.Errorf("safety %+v, replica sets %d", v.Properties.SafetyProfile, len(first.AdditionalReplicaSets))
			}
			return guard(ctx, w, newest, false)
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

// guard sets, by the newest SDK, what the older one does not know.
func guard(ctx context.Context, w *world, f *newer.ClientFactory, on bool) error {
	regions := []*newer.TargetRegion{{Name: &w.regions[0], RegionalReplicaCount: to.Ptr(int32(2)),
		AdditionalReplicaSets: []*newer.AdditionalReplicaSet{{RegionalReplicaCount: to.Ptr(int32(1)), StorageAccountType: to.Ptr(newer.StorageAccountTypePremiumLRS)}}}, {Name: &w.regions[1]}}
	p, err := f.NewGalleryImageVersionsClient().BeginUpdate(ctx, w.group, w.gallery, "debian", "1.0.0", newer.GalleryImageVersionUpdate{Properties: &newer.GalleryImageVersionProperties{
		SafetyProfile:     &newer.GalleryImageVersionSafetyProfile{BlockDeletionBeforeEndOfLife: &on},
		PublishingProfile: &newer.GalleryImageVersionPublishingProfile{TargetRegions: regions, EndOfLifeDate: to.Ptr(time.Now().Add(1000 * time.Hour))},
		StorageProfile:    &newer.GalleryImageVersionStorageProfile{}}}, nil)
	if err != nil {
		return err
	}
	_, err = p.PollUntilDone(ctx, often)
	return err
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

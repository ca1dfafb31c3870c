package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/authorization/armauthorization/v2"
	armcompute "github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/resources/armresources"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/resources/armsubscriptions"
)

var often = &runtime.PollUntilDoneOptions{Frequency: time.Second}

// storyV8 is the whole life with the newest SDK.
func storyV8(ctx context.Context, w *world) error {
	f, err := armcompute.NewClientFactory(w.sub, w.cred, w.options)
	if err != nil {
		return err
	}
	for _, part := range []func(context.Context, *world, *armcompute.ClientFactory) error{places, galleryAndImage, versionLife, pages, applications, access, neighbours, wrongOrder, rightOrder} {
		if err := part(ctx, w, f); err != nil {
			return err
		}
	}
	return nil
}

func places(ctx context.Context, w *world, _ *armcompute.ClientFactory) error {
	subs, err := armsubscriptions.NewClient(w.cred, w.options)
	if err != nil {
		return err
	}
	groups, err := armresources.NewResourceGroupsClient(w.sub, w.cred, w.options)
	if err != nil {
		return err
	}
	return errors.Join(
		step("subscription and locations", func() error {
			s, err := subs.Get(ctx, w.sub, nil)
			if err != nil {
				return err
			}
			page, err := subs.NewListLocationsPager(*s.SubscriptionID, nil).NextPage(ctx)
			if err == nil && len(page.Value) < 3 {
				err = fmt.Errorf("%d locations", len(page.Value))
			}
			return err
		}),
		step("resource group: absent, created, there", func() error {
			there, err := groups.CheckExistence(ctx, w.group, nil)
			if err != nil || there.Success {
				return fmt.Errorf("before: %v, %w", there.Success, err)
			}
			if _, err := groups.CreateOrUpdate(ctx, w.group, armresources.ResourceGroup{Location: &w.regions[0], Tags: map[string]*string{"a": to.Ptr("b")}}, nil); err != nil {
				return err
			}
			there, err = groups.CheckExistence(ctx, w.group, nil)
			if err == nil && !there.Success {
				err = errors.New("not there after it was created")
			}
			return err
		}))
}

func galleryAndImage(ctx context.Context, w *world, f *armcompute.ClientFactory) error {
	return errors.Join(
		step("gallery: created, updated, read", func() error {
			c := f.NewGalleriesClient()
			p, err := c.BeginCreateOrUpdate(ctx, w.group, w.gallery, armcompute.Gallery{Location: &w.regions[0], Properties: &armcompute.GalleryProperties{Description: to.Ptr("one")}}, nil)
			if err != nil {
				return err
			}
			if _, err := p.PollUntilDone(ctx, often); err != nil {
				return err
			}
			u, err := c.BeginUpdate(ctx, w.group, w.gallery, armcompute.GalleryUpdate{Properties: &armcompute.GalleryProperties{Description: to.Ptr("two")}}, nil)
			if err != nil {
				return err
			}
			g, err := u.PollUntilDone(ctx, often)
			if err == nil && *g.Properties.Description != "two" {
				err = fmt.Errorf("the description is %q", *g.Properties.Description)
			}
			return err
		}),
		step("image definition", func() error {
			p, err := f.NewGalleryImagesClient().BeginCreateOrUpdate(ctx, w.group, w.gallery, "debian", armcompute.GalleryImage{Location: &w.regions[0],
				Properties: &armcompute.GalleryImageProperties{OSType: to.Ptr(armcompute.OperatingSystemTypesLinux), OSState: to.Ptr(armcompute.OperatingSystemStateTypesGeneralized),
					Identifier: &armcompute.GalleryImageIdentifier{Publisher: to.Ptr("p"), Offer: to.Ptr("o"), SKU: to.Ptr("s")}, EndOfLifeDate: to.Ptr(time.Now().Add(1000 * time.Hour))}}, nil)
			if err != nil {
				return err
			}
			_, err = p.PollUntilDone(ctx, often)
			return err
		}),
		step("errors: conflict of identifiers, parent, name, etag", func() error {
			c := f.NewGalleryImagesClient()
			twin := armcompute.GalleryImage{Location: &w.regions[0], Properties: &armcompute.GalleryImageProperties{OSType: to.Ptr(armcompute.OperatingSystemTypesLinux),
				OSState: to.Ptr(armcompute.OperatingSystemStateTypesGeneralized), Identifier: &armcompute.GalleryImageIdentifier{Publisher: to.Ptr("P"), Offer: to.Ptr("O"), SKU: to.Ptr("S")}}}
			_, err := c.BeginCreateOrUpdate(ctx, w.group, w.gallery, "twin", twin, nil)
			_, orphan := c.BeginCreateOrUpdate(ctx, w.group, "nowhere", "twin", twin, nil)
			_, name := f.NewGalleriesClient().BeginCreateOrUpdate(ctx, w.group, "with-dash", armcompute.Gallery{Location: &w.regions[0]}, nil)
			conditional := policy.WithHTTPHeader(ctx, http.Header{"If-Match": {`"1"`}})
			_, tag := f.NewGalleriesClient().BeginUpdate(conditional, w.group, w.gallery, armcompute.GalleryUpdate{}, nil)
			_, place := f.NewGalleriesClient().BeginCreateOrUpdate(ctx, w.group, "other", armcompute.Gallery{Location: to.Ptr("mars")}, nil)
			return errors.Join(refused(err, 409, "Conflict"), refused(orphan, 404, "ParentResourceNotFound"), refused(name, 400, "InvalidResourceName"),
				refused(tag, 412, "PreconditionFailed"), refused(place, 400, "LocationNotAvailableForResourceType"))
		}))
}

func targets(w *world, counts ...int32) []*armcompute.TargetRegion {
	var out []*armcompute.TargetRegion
	for i, n := range counts {
		out = append(out, &armcompute.TargetRegion{Name: &w.regions[i], RegionalReplicaCount: &n})
	}
	return out
}

func versionLife(ctx context.Context, w *world, f *armcompute.ClientFactory) error {
	c := f.NewGalleryImageVersionsClient()
	return errors.Join(
		step("version from a snapshot, two regions, by its poller", func() error {
			p, err := c.BeginCreateOrUpdate(ctx, w.group, w.gallery, "debian", "1.0.0", armcompute.GalleryImageVersion{Location: &w.regions[0],
				Properties: &armcompute.GalleryImageVersionProperties{
					PublishingProfile: &armcompute.GalleryImageVersionPublishingProfile{TargetRegions: targets(w, 2, 1)},
					StorageProfile:    &armcompute.GalleryImageVersionStorageProfile{OSDiskImage: &armcompute.GalleryOSDiskImage{Source: &armcompute.GalleryDiskImageSource{ID: &w.snapshot}}}}}, nil)
			if err != nil {
				return err
			}
			_, err = p.PollUntilDone(ctx, often)
			return err
		}),
		step("replication status", func() error {
			v, err := c.Get(ctx, w.group, w.gallery, "debian", "1.0.0", &armcompute.GalleryImageVersionsClientGetOptions{Expand: to.Ptr(armcompute.ReplicationStatusTypesReplicationStatus)})
			if err != nil {
				return err
			}
			s := v.Properties.ReplicationStatus
			if *s.AggregatedState != armcompute.AggregatedReplicationStateCompleted || len(s.Summary) != 2 || *s.Summary[0].Progress != 100 || *v.Properties.ProvisioningState != "Succeeded" {
				return fmt.Errorf("%s, %d regions", *s.AggregatedState, len(s.Summary))
			}
			return nil
		}),
		step("a third region, then one dropped without leave", func() error {
			u, err := c.BeginUpdate(ctx, w.group, w.gallery, "debian", "1.0.0", armcompute.GalleryImageVersionUpdate{Properties: &armcompute.GalleryImageVersionProperties{
				PublishingProfile: &armcompute.GalleryImageVersionPublishingProfile{TargetRegions: targets(w, 2, 1, 1), ExcludeFromLatest: to.Ptr(true)}, StorageProfile: &armcompute.GalleryImageVersionStorageProfile{}}}, nil)
			if err != nil {
				return err
			}
			v, err := u.PollUntilDone(ctx, often)
			if err != nil {
				return err
			}
			if len(v.Properties.PublishingProfile.TargetRegions) != 3 || !*v.Properties.PublishingProfile.ExcludeFromLatest {
				return errors.New("the update is not there")
			}
			_, err = c.BeginUpdate(ctx, w.group, w.gallery, "debian", "1.0.0", armcompute.GalleryImageVersionUpdate{Properties: &armcompute.GalleryImageVersionProperties{
				PublishingProfile: &armcompute.GalleryImageVersionPublishingProfile{TargetRegions: targets(w, 2)}}}, nil)
			return refused(err, 409, "OperationNotAllowed")
		}),
		step("versions in numeric order", func() error {
			for _, name := range []string{"1.0.10", "1.0.9"} {
				p, err := c.BeginCreateOrUpdate(ctx, w.group, w.gallery, "debian", name, armcompute.GalleryImageVersion{Location: &w.regions[0],
					Properties: &armcompute.GalleryImageVersionProperties{StorageProfile: &armcompute.GalleryImageVersionStorageProfile{
						Source: &armcompute.GalleryArtifactVersionFullSource{ID: to.Ptr(versionID(w, "1.0.0"))}}}}, nil)
				if err != nil {
					return err
				}
				if _, err := p.PollUntilDone(ctx, often); err != nil {
					return err
				}
			}
			got := ""
			for pager := c.NewListByGalleryImagePager(w.group, w.gallery, "debian", nil); pager.More(); {
				page, err := pager.NextPage(ctx)
				if err != nil {
					return err
				}
				for _, v := range page.Value {
					got += *v.Name + " "
				}
			}
			if got != "1.0.0 1.0.9 1.0.10 " {
				return fmt.Errorf("got %q", got)
			}
			return nil
		}))
}

// pages lists what does not fit into one page.
func pages(ctx context.Context, w *world, f *armcompute.ClientFactory) error {
	return step("a list of two pages", func() error {
		names, pages := map[string]bool{}, 0
		for pager := f.NewSnapshotsClient().NewListByResourceGroupPager("rg-pages", nil); pager.More(); pages++ {
			page, err := pager.NextPage(ctx)
			if err != nil {
				return err
			}
			for _, s := range page.Value {
				names[*s.Name] = true
			}
		}
		if pages != 2 || strconv.Itoa(len(names)) != os.Getenv("STORY_PAGED") {
			return fmt.Errorf("%d pages, %d names", pages, len(names))
		}
		return nil
	})
}

func versionID(w *world, version string) string {
	return "/subscriptions/" + w.sub + "/resourceGroups/" + w.group + "/providers/Microsoft.Compute/galleries/" + w.gallery + "/images/debian/versions/" + version
}

func applications(ctx context.Context, w *world, f *armcompute.ClientFactory) error {
	if w.packageURL == "" {
		return errors.New("STORY_PACKAGE names no package")
	}
	return errors.Join(
		step("application", func() error {
			p, err := f.NewGalleryApplicationsClient().BeginCreateOrUpdate(ctx, w.group, w.gallery, "agent", armcompute.GalleryApplication{Location: &w.regions[0],
				Properties: &armcompute.GalleryApplicationProperties{SupportedOSType: to.Ptr(armcompute.OperatingSystemTypesLinux)}}, nil)
			if err != nil {
				return err
			}
			_, err = p.PollUntilDone(ctx, often)
			return err
		}),
		step("application version from a link", func() error {
			p, err := f.NewGalleryApplicationVersionsClient().BeginCreateOrUpdate(ctx, w.group, w.gallery, "agent", "1.0.0", armcompute.GalleryApplicationVersion{Location: &w.regions[0],
				Properties: &armcompute.GalleryApplicationVersionProperties{PublishingProfile: &armcompute.GalleryApplicationVersionPublishingProfile{
					Source: &armcompute.UserArtifactSource{MediaLink: &w.packageURL}, ManageActions: &armcompute.UserArtifactManage{Install: to.Ptr("i"), Remove: to.Ptr("r")},
					TargetRegions: targets(w, 1, 1)}}}, nil)
			if err != nil {
				return err
			}
			v, err := p.PollUntilDone(ctx, often)
			if err == nil && *v.Properties.ProvisioningState != "Succeeded" {
				err = fmt.Errorf("it is %s", *v.Properties.ProvisioningState)
			}
			return err
		}))
}

// access lists roles and gives one; who has none may do nothing.
func access(ctx context.Context, w *world, _ *armcompute.ClientFactory) error {
	defs, err := armauthorization.NewRoleDefinitionsClient(w.cred, w.options)
	if err != nil {
		return err
	}
	assignments, err := armauthorization.NewRoleAssignmentsClient(w.sub, w.cred, w.options)
	if err != nil {
		return err
	}
	scope := "/subscriptions/" + w.sub
	return step("roles and assignments", func() error {
		page, err := defs.NewListPager(scope, &armauthorization.RoleDefinitionsClientListOptions{Filter: to.Ptr("atScope()")}).NextPage(ctx)
		if err != nil {
			return err
		}
		if len(page.Value) < 7 {
			return fmt.Errorf("%d roles", len(page.Value))
		}
		list, err := assignments.NewListForScopePager(scope, &armauthorization.RoleAssignmentsClientListForScopeOptions{Filter: to.Ptr("atScope()")}).NextPage(ctx)
		if err == nil && len(list.Value) == 0 {
			err = errors.New("no assignments")
		}
		if err != nil {
			return err
		}
		return assign(ctx, w, assignments)
	})
}

// assign gives a principal the Reader's role in the group, finds it by the principal, and takes it away.
func assign(ctx context.Context, w *world, c *armauthorization.RoleAssignmentsClient) error {
	scope, name := "/subscriptions/"+w.sub+"/resourceGroups/"+w.group, "00000000-0000-4000-8000-0000000000c1"
	role := "/subscriptions/" + w.sub + "/providers/Microsoft.Authorization/roleDefinitions/acdd72a7-3385-48ef-bd42-f606fba81ae7"
	who := os.Getenv("STORY_PRINCIPAL")
	made, err := c.Create(ctx, scope, name, armauthorization.RoleAssignmentCreateParameters{Properties: &armauthorization.RoleAssignmentProperties{PrincipalID: &who, RoleDefinitionID: &role}}, nil)
	if err != nil {
		return err
	}
	if *made.Properties.Scope != scope || *made.Properties.PrincipalType != armauthorization.PrincipalTypeServicePrincipal {
		return fmt.Errorf("made %+v", *made.Properties)
	}
	page, err := c.NewListForScopePager(scope, &armauthorization.RoleAssignmentsClientListForScopeOptions{Filter: to.Ptr("principalId+eq+'" + who + "'")}).NextPage(ctx)
	if err != nil || len(page.Value) != 1 {
		return fmt.Errorf("%d assignments of the principal, %w", len(page.Value), err)
	}
	_, twice := c.Create(ctx, scope, "00000000-0000-4000-8000-0000000000c2", armauthorization.RoleAssignmentCreateParameters{Properties: &armauthorization.RoleAssignmentProperties{PrincipalID: &who, RoleDefinitionID: &role}}, nil)
	if err := refused(twice, 409, "RoleAssignmentExists"); err != nil {
		return err
	}
	_, err = c.Delete(ctx, scope, name, nil)
	return err
}

func wrongOrder(ctx context.Context, w *world, f *armcompute.ClientFactory) error {
	return step("deleted in the wrong order: refused", func() error {
		_, image := f.NewGalleryImagesClient().BeginDelete(ctx, w.group, w.gallery, "debian", nil)
		_, gal := f.NewGalleriesClient().BeginDelete(ctx, w.group, w.gallery, nil)
		return errors.Join(refused(image, 409, "CannotDeleteResource"), refused(gal, 409, "CannotDeleteResource"))
	})
}

func rightOrder(ctx context.Context, w *world, f *armcompute.ClientFactory) error {
	return step("deleted in the right order, without a pause", func() error {
		for _, v := range []string{"1.0.0", "1.0.9", "1.0.10"} {
			p, err := f.NewGalleryImageVersionsClient().BeginDelete(ctx, w.group, w.gallery, "debian", v, nil)
			if err != nil {
				return err
			}
			if _, err := p.PollUntilDone(ctx, often); err != nil {
				return err
			}
		}
		a, err := f.NewGalleryApplicationVersionsClient().BeginDelete(ctx, w.group, w.gallery, "agent", "1.0.0", nil)
		if err != nil {
			return err
		}
		if _, err := a.PollUntilDone(ctx, often); err != nil {
			return err
		}
		b, err := f.NewGalleryApplicationsClient().BeginDelete(ctx, w.group, w.gallery, "agent", nil)
		if err != nil {
			return err
		}
		if _, err := b.PollUntilDone(ctx, often); err != nil {
			return err
		}
		i, err := f.NewGalleryImagesClient().BeginDelete(ctx, w.group, w.gallery, "debian", nil)
		if err != nil {
			return err
		}
		if _, err := i.PollUntilDone(ctx, often); err != nil {
			return err
		}
		g, err := f.NewGalleriesClient().BeginDelete(ctx, w.group, w.gallery, nil)
		if err != nil {
			return err
		}
		if _, err := g.PollUntilDone(ctx, often); err != nil {
			return err
		}
		_, err = f.NewGalleriesClient().Get(ctx, w.group, w.gallery, nil)
		return refused(err, 404, "ResourceNotFound")
	})
}

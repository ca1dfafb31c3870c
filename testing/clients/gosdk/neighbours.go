package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/authorization/armauthorization/v2"
	armcompute "github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/resources/armresources"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/resources/armsubscriptions"
)

// count walks a list to its end and counts what each page has.
func count[T any](ctx context.Context, pager *runtime.Pager[T], of func(T) int) (int, error) {
	n := 0
	for pager.More() {
		page, err := pager.NextPage(ctx)
		if err != nil {
			return n, err
		}
		n += of(page)
	}
	return n, nil
}

// some says whether a list has something.
func some[T any](ctx context.Context, what string, pager *runtime.Pager[T], of func(T) int) error {
	n, err := count(ctx, pager, of)
	if err == nil && n == 0 {
		err = errors.New("nothing is listed")
	}
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// neighbours are the services around galleries that the SDK has modules of their own for.
func neighbours(ctx context.Context, w *world, f *armcompute.ClientFactory) error {
	return errors.Join(
		step("subscriptions, tenants, providers", func() error { return directory(ctx, w) }),
		step("resources and their tags", func() error { return tagging(ctx, w) }),
		step("a role of one's own, by every form", func() error { return custom(ctx, w) }),
		step("snapshot: copy, update, grant and revoke access, delete", func() error { return snapshots(ctx, w, f) }))
}

func directory(ctx context.Context, w *world) error {
	subs, err1 := armsubscriptions.NewClient(w.cred, w.options)
	tenants, err2 := armsubscriptions.NewTenantsClient(w.cred, w.options)
	providers, err3 := armresources.NewProvidersClient(w.sub, w.cred, w.options)
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	compute, err := providers.Get(ctx, "Microsoft.Compute", nil)
	if err != nil {
		return err
	}
	if *compute.RegistrationState != "Registered" || len(compute.ResourceTypes) == 0 || len(compute.ResourceTypes[0].APIVersions) == 0 {
		return fmt.Errorf("provider %+v", compute.Provider)
	}
	_, err = providers.Register(ctx, "Microsoft.Compute", nil)
	return errors.Join(err,
		some(ctx, "subscriptions", subs.NewListPager(nil), func(p armsubscriptions.ClientListResponse) int { return len(p.Value) }),
		some(ctx, "tenants", tenants.NewListPager(nil), func(p armsubscriptions.TenantsClientListResponse) int { return len(p.Value) }),
		some(ctx, "providers", providers.NewListPager(nil), func(p armresources.ProvidersClientListResponse) int { return len(p.Value) }))
}

func tagging(ctx context.Context, w *world) error {
	all, err1 := armresources.NewClient(w.sub, w.cred, w.options)
	tags, err2 := armresources.NewTagsClient(w.sub, w.cred, w.options)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	scope := strings.TrimSuffix(versionID(w, ""), "/images/debian/versions/")
	set := func(names ...string) *armresources.Tags {
		m := map[string]*string{}
		for _, n := range names {
			m[n] = to.Ptr("go")
		}
		return &armresources.Tags{Tags: m}
	}
	if _, err := tags.CreateOrUpdateAtScope(ctx, scope, armresources.TagsResource{Properties: set("a")}, nil); err != nil {
		return err
	}
	if _, err := tags.UpdateAtScope(ctx, scope, armresources.TagsPatchResource{Operation: to.Ptr(armresources.TagsPatchOperationMerge), Properties: set("b")}, nil); err != nil {
		return err
	}
	got, err := tags.GetAtScope(ctx, scope, nil)
	if err != nil || len(got.Properties.Tags) != 2 {
		return fmt.Errorf("tags %+v, %w", got.Properties, err)
	}
	filter := &armresources.ClientListByResourceGroupOptions{Filter: to.Ptr("resourceType eq 'Microsoft.Compute/galleries'")}
	n, err := count(ctx, all.NewListByResourceGroupPager(w.group, filter), func(p armresources.ClientListByResourceGroupResponse) int { return len(p.Value) })
	if err != nil || n != 1 {
		return fmt.Errorf("%d galleries in the group, %w", n, err)
	}
	_, err = tags.DeleteAtScope(ctx, scope, nil)
	return err
}

// custom makes a role, gives it by id, finds it in every list, and takes both away.
func custom(ctx context.Context, w *world) error {
	defs, err1 := armauthorization.NewRoleDefinitionsClient(w.cred, w.options)
	given, err2 := armauthorization.NewRoleAssignmentsClient(w.sub, w.cred, w.options)
	may, err3 := armauthorization.NewPermissionsClient(w.sub, w.cred, w.options)
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	scope, name, who := "/subscriptions/"+w.sub, "00000000-0000-4000-8000-0000000000e1", os.Getenv("STORY_PRINCIPAL")
	role := armauthorization.RoleDefinition{Properties: &armauthorization.RoleDefinitionProperties{RoleName: to.Ptr("Tagger"), RoleType: to.Ptr("CustomRole"),
		AssignableScopes: []*string{&scope}, Permissions: []*armauthorization.Permission{{Actions: []*string{to.Ptr("Microsoft.Resources/tags/*")}}}}}
	for range 2 { // made, and updated: the SDK takes 201 alone for both
		if _, err := defs.CreateOrUpdate(ctx, scope, name, role, nil); err != nil {
			return err
		}
	}
	made, err := defs.Get(ctx, scope, name, nil)
	if err != nil {
		return err
	}
	gal := strings.TrimSuffix(versionID(w, ""), "/images/debian/versions/")
	id := gal + "/providers/Microsoft.Authorization/roleAssignments/00000000-0000-4000-8000-0000000000e2"
	_, err = given.CreateByID(ctx, id, armauthorization.RoleAssignmentCreateParameters{Properties: &armauthorization.RoleAssignmentProperties{PrincipalID: &who, RoleDefinitionID: made.ID}}, nil)
	if err != nil {
		return err
	}
	_, err1 = defs.GetByID(ctx, strings.TrimPrefix(*made.ID, "/"), nil)
	_, err2 = given.GetByID(ctx, id, nil)
	err = errors.Join(err1, err2,
		some(ctx, "of the subscription", given.NewListForSubscriptionPager(nil), func(p armauthorization.RoleAssignmentsClientListForSubscriptionResponse) int { return len(p.Value) }),
		some(ctx, "of the group", given.NewListForResourceGroupPager(w.group, nil), func(p armauthorization.RoleAssignmentsClientListForResourceGroupResponse) int { return len(p.Value) }),
		some(ctx, "of the gallery", given.NewListForResourcePager(w.group, "Microsoft.Compute", "galleries", w.gallery, nil),
			func(p armauthorization.RoleAssignmentsClientListForResourceResponse) int { return len(p.Value) }),
		some(ctx, "permissions in the group", may.NewListForResourceGroupPager(w.group, nil),
			func(p armauthorization.PermissionsClientListForResourceGroupResponse) int { return len(p.Value) }),
		some(ctx, "permissions at the gallery", may.NewListForResourcePager(w.group, "Microsoft.Compute", "", "galleries", w.gallery, nil),
			func(p armauthorization.PermissionsClientListForResourceResponse) int { return len(p.Value) }))
	if err != nil {
		return err
	}
	_, used := defs.Delete(ctx, scope, name, nil)
	_, err1 = given.DeleteByID(ctx, id, nil)
	_, err2 = defs.Delete(ctx, scope, name, nil)
	return errors.Join(refused(used, 409, "CannotDeleteResource"), err1, err2)
}

func snapshots(ctx context.Context, w *world, f *armcompute.ClientFactory) error {
	c := f.NewSnapshotsClient()
	made, err := c.BeginCreateOrUpdate(ctx, w.group, "copy", armcompute.Snapshot{Location: &w.regions[0], Properties: &armcompute.SnapshotProperties{
		CreationData: &armcompute.CreationData{CreateOption: to.Ptr(armcompute.DiskCreateOptionCopy), SourceResourceID: &w.snapshot}}}, nil)
	if err != nil {
		return err
	}
	if _, err := made.PollUntilDone(ctx, often); err != nil {
		return err
	}
	tagged, err := c.BeginUpdate(ctx, w.group, "copy", armcompute.SnapshotUpdate{Tags: map[string]*string{"a": to.Ptr("b")}}, nil)
	if err != nil {
		return err
	}
	s, err := tagged.PollUntilDone(ctx, often)
	if err != nil || *s.Properties.ProvisioningState != "Succeeded" || len(s.Tags) != 1 || *s.Properties.DiskSizeBytes == 0 {
		return fmt.Errorf("snapshot %+v, %w", s.Properties, err)
	}
	granted, err := c.BeginGrantAccess(ctx, w.group, "copy", armcompute.GrantAccessData{Access: to.Ptr(armcompute.AccessLevelRead), DurationInSeconds: to.Ptr(int32(600))}, nil)
	if err != nil {
		return err
	}
	link, err := granted.PollUntilDone(ctx, often)
	if err != nil || !strings.HasPrefix(*link.AccessSAS, w.base) {
		return fmt.Errorf("link %v, %w", link.AccessSAS, err)
	}
	revoked, err := c.BeginRevokeAccess(ctx, w.group, "copy", nil)
	if err != nil {
		return err
	}
	_, err1 := revoked.PollUntilDone(ctx, often)
	gone, err := c.BeginDelete(ctx, w.group, "copy", nil)
	if err != nil {
		return errors.Join(err1, err)
	}
	_, err = gone.PollUntilDone(ctx, often)
	return errors.Join(err1, err)
}

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/authorization/armauthorization/v2"
	armcompute "github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/resources/armresources"
)

// spoilKey is under which a call's context has what spoils its request: what the SDK itself would never send.
type spoilKey struct{}

type spoiler struct{}

// Do implements policy.Policy.
func (spoiler) Do(r *policy.Request) (*http.Response, error) {
	if spoil, ok := r.Raw().Context().Value(spoilKey{}).(func(*policy.Request) error); ok {
		if err := spoil(r); err != nil {
			return nil, err
		}
	}
	return r.Next()
}

func spoiled(ctx context.Context, f func(*policy.Request) error) context.Context {
	return context.WithValue(ctx, spoilKey{}, f)
}

// body sends another body.
func body(ctx context.Context, text string) context.Context {
	return spoiled(ctx, func(r *policy.Request) error {
		return r.SetBody(streaming.NopCloser(bytes.NewReader([]byte(text))), "application/json")
	})
}

// query sends another api-version, or none.
func query(ctx context.Context, version string) context.Context {
	return spoiled(ctx, func(r *policy.Request) error {
		q := r.Raw().URL.Query()
		q.Del("api-version")
		if version != "" {
			q.Set("api-version", version)
		}
		r.Raw().URL.RawQuery = q.Encode()
		return nil
	})
}

// bearer is a credential that is one token.
type bearer string

// GetToken implements azcore.TokenCredential.
func (b bearer) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: string(b), ExpiresOn: time.Now().Add(time.Hour)}, nil
}

// clients are what the stories of errors call.
type clients struct {
	w      *world
	f      *armcompute.ClientFactory
	groups *armresources.ResourceGroupsClient
	all    *armresources.Client
	roles  *armauthorization.RoleAssignmentsClient
}

// as makes the clients with a credential, of a subscription; they do not try again.
func (w *world) as(sub string, cred azcore.TokenCredential) (*clients, error) {
	o := *w.options
	o.PerCallPolicies = []policy.Policy{spoiler{}}
	o.Retry.MaxRetries = -1
	f, err := armcompute.NewClientFactory(sub, cred, &o)
	groups, err2 := armresources.NewResourceGroupsClient(sub, cred, &o)
	all, err3 := armresources.NewClient(sub, cred, &o)
	roles, err4 := armauthorization.NewRoleAssignmentsClient(sub, cred, &o)
	return &clients{w, f, groups, all, roles}, errors.Join(err, err2, err3, err4)
}

func (c *clients) gallery(ctx context.Context, group, name string, g armcompute.Gallery) error {
	p, err := c.f.NewGalleriesClient().BeginCreateOrUpdate(ctx, group, name, g, nil)
	if err != nil {
		return err
	}
	_, err = p.PollUntilDone(ctx, often)
	return err
}

func (c *clients) image(ctx context.Context, gallery, name, offer string, os armcompute.OperatingSystemTypes) error {
	p, err := c.f.NewGalleryImagesClient().BeginCreateOrUpdate(ctx, c.w.group, gallery, name, armcompute.GalleryImage{Location: &c.w.regions[0],
		Properties: &armcompute.GalleryImageProperties{OSType: &os, OSState: to.Ptr(armcompute.OperatingSystemStateTypesGeneralized),
			Identifier: &armcompute.GalleryImageIdentifier{Publisher: to.Ptr("p"), Offer: &offer, SKU: to.Ptr("s")}}}, nil)
	if err != nil {
		return err
	}
	_, err = p.PollUntilDone(ctx, often)
	return err
}

// version makes a version of a snapshot in so many of the regions.
func (c *clients) version(ctx context.Context, gallery, name, snapshot string, regions int, safety *armcompute.GalleryImageVersionSafetyProfile) error {
	counts := make([]int32, regions)
	for i := range counts {
		counts[i] = 1
	}
	p, err := c.f.NewGalleryImageVersionsClient().BeginCreateOrUpdate(ctx, c.w.group, gallery, "debian", name, armcompute.GalleryImageVersion{Location: &c.w.regions[0],
		Properties: &armcompute.GalleryImageVersionProperties{SafetyProfile: safety,
			PublishingProfile: &armcompute.GalleryImageVersionPublishingProfile{TargetRegions: targets(c.w, counts...), EndOfLifeDate: to.Ptr(time.Now().Add(1000 * time.Hour))},
			StorageProfile:    &armcompute.GalleryImageVersionStorageProfile{OSDiskImage: &armcompute.GalleryOSDiskImage{Source: &armcompute.GalleryDiskImageSource{ID: &snapshot}}}}}, nil)
	if err != nil {
		return err
	}
	_, err = p.PollUntilDone(ctx, often)
	return err
}

func (c *clients) grant(ctx context.Context, scope, name, role, principal string) error {
	_, err := c.roles.Create(ctx, scope, name, armauthorization.RoleAssignmentCreateParameters{Properties: &armauthorization.RoleAssignmentProperties{PrincipalID: &principal,
		RoleDefinitionID: to.Ptr("/subscriptions/" + c.w.sub + "/providers/Microsoft.Authorization/roleDefinitions/" + role)}}, nil)
	return err
}

// expect runs cases, each of which must be refused with its status and code; it says which codes it saw.
func expect(cases []refusal) error {
	var errs []error
	for _, c := range cases {
		if err := refused(c.err, c.status, c.code); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", c.what, err))
			continue
		}
		fmt.Printf("code %d %-48s %s\n", c.status, c.code, c.what)
	}
	return errors.Join(errs...)
}

type refusal struct {
	status int
	code   string
	what   string
	err    error
}

const (
	contributor = "b24988ac-6180-42a0-ab88-20f7382dd24c"
	reader      = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
	nowhere     = "00000000-0000-4000-8000-00000000dead"
)

// storyErrors gets every refusal that a healthy cluster has, by the SDK.
func storyErrors(ctx context.Context, w *world) error {
	c, err := w.as(w.sub, w.cred)
	if err != nil {
		return err
	}
	somebody := secret{w.base + "/adfs/oauth2/token", os.Getenv("STORY_CLIENT_ID"), os.Getenv("STORY_CLIENT_SECRET"), w.http}
	other, err1 := w.as(w.sub, somebody)
	lost, err2 := w.as(nowhere, w.cred)
	silent, err3 := w.as(w.sub, nil)
	forger, err4 := w.as(w.sub, bearer("x.y.z"))
	late, err5 := w.as(w.sub, bearer(os.Getenv("STORY_EXPIRED")))
	if err := errors.Join(err1, err2, err3, err4, err5); err != nil {
		return err
	}
	place := armcompute.Gallery{Location: &w.regions[0]}
	if _, err := c.groups.CreateOrUpdate(ctx, w.group, armresources.ResourceGroup{Location: &w.regions[0]}, nil); err != nil {
		return err
	}
	scope := "/subscriptions/" + w.sub + "/resourceGroups/" + w.group
	if err := errors.Join(c.gallery(ctx, w.group, w.gallery, place), c.image(ctx, w.gallery, "debian", "o", armcompute.OperatingSystemTypesLinux),
		c.version(ctx, w.gallery, "1.0.0", w.snapshot, 2, nil),
		c.version(ctx, w.gallery, "2.0.0", w.snapshot, 1, &armcompute.GalleryImageVersionSafetyProfile{BlockDeletionBeforeEndOfLife: to.Ptr(true)}),
		c.grant(ctx, scope+"/providers/Microsoft.Compute/galleries/"+w.gallery, "00000000-0000-4000-8000-0000000000d1", contributor, os.Getenv("STORY_PRINCIPAL"))); err != nil {
		return fmt.Errorf("before: %w", err)
	}
	get := func(c *clients, ctx context.Context, group, name string) error {
		_, err := c.f.NewGalleriesClient().Get(ctx, group, name, nil)
		return err
	}
	drop := func(version string) error {
		_, err := c.f.NewGalleryImageVersionsClient().BeginDelete(ctx, w.group, w.gallery, "debian", version, nil)
		return err
	}
	path := func(method, path string) context.Context {
		return spoiled(ctx, func(r *policy.Request) error {
			r.Raw().Method, r.Raw().URL.Path, r.Raw().URL.RawPath = method, path, ""
			return nil
		})
	}
	_, shrunk := c.f.NewGalleryImageVersionsClient().BeginUpdate(ctx, w.group, w.gallery, "debian", "1.0.0", armcompute.GalleryImageVersionUpdate{
		Properties: &armcompute.GalleryImageVersionProperties{PublishingProfile: &armcompute.GalleryImageVersionPublishingProfile{TargetRegions: targets(w, 1)}}}, nil)
	_, full := c.f.NewGalleriesClient().BeginDelete(ctx, w.group, w.gallery, nil)
	_, filter := c.all.NewListPager(&armresources.ClientListOptions{Filter: to.Ptr("name+gt+'x'")}).NextPage(ctx)
	everybody := armcompute.Gallery{Location: &w.regions[0], Properties: &armcompute.GalleryProperties{SharingProfile: &armcompute.SharingProfile{
		Permissions: to.Ptr(armcompute.GallerySharingPermissionTypes("Everybody"))}}}
	twice := c.grant(ctx, scope+"/providers/Microsoft.Compute/galleries/"+w.gallery, "00000000-0000-4000-8000-0000000000d2", contributor, os.Getenv("STORY_PRINCIPAL"))
	return expect([]refusal{
		{400, "InvalidParameter", "a member with a value of its own", c.gallery(ctx, w.group, "g1", everybody)},
		{400, "InvalidRequestContent", "a body that is no JSON", c.gallery(body(ctx, "no json"), w.group, "g1", place)},
		{400, "InvalidRequestContent", "a member of another type", c.gallery(body(ctx, `{"location":7}`), w.group, "g1", place)},
		{413, "RequestEntityTooLarge", "a body of 300 KiB", c.gallery(body(ctx, `{"location":"`+strings.Repeat("x", 300<<10)+`"}`), w.group, "g1", place)},
		{400, "InvalidResourceName", "a gallery with a dash", c.gallery(ctx, w.group, "with-dash", place)},
		{400, "LocationNotAvailableForResourceType", "a region that is not there", c.gallery(ctx, w.group, "g1", armcompute.Gallery{Location: to.Ptr("mars")})},
		{400, "LocationRequired", "a gallery without a location", c.gallery(ctx, w.group, "g1", armcompute.Gallery{})},
		{400, "MissingApiVersionParameter", "no api-version", get(c, query(ctx, ""), w.group, w.gallery)},
		{400, "InvalidApiVersionParameter", "a malformed api-version", get(c, query(ctx, "yesterday"), w.group, w.gallery)},
		{400, "InvalidFilterInQueryString", "a filter that no list knows", filter},
		{400, "RoleDefinitionDoesNotExist", "a role that is not there", c.grant(ctx, scope, "00000000-0000-4000-8000-0000000000d3", nowhere, os.Getenv("STORY_PRINCIPAL"))},
		{400, "PrincipalNotFound", "a principal that is not there", c.grant(ctx, scope, "00000000-0000-4000-8000-0000000000d4", reader, nowhere)},
		{401, "AuthenticationFailed", "no token", get(silent, ctx, w.group, w.gallery)},
		{401, "InvalidAuthenticationToken", "a token that nobody signed", get(forger, ctx, w.group, w.gallery)},
		{401, "ExpiredAuthenticationToken", "a token that was good once", get(late, ctx, w.group, w.gallery)},
		{403, "AuthorizationFailed", "who has no role there", func() error { _, err := other.groups.Get(ctx, w.group, nil); return err }()},
		{403, "LinkedAuthorizationFailed", "a source that the caller may not read", other.version(ctx, w.gallery, "3.0.0", w.snapshot, 1, nil)},
		{404, "SubscriptionNotFound", "a subscription that is not there", get(lost, ctx, w.group, w.gallery)},
		{404, "ResourceGroupNotFound", "a group that is not there", c.gallery(ctx, "rg-none", "g1", place)},
		{404, "ResourceNotFound", "a gallery that is not there", get(c, ctx, w.group, "none")},
		{404, "ParentResourceNotFound", "a definition without its gallery", c.image(ctx, "none", "debian", "o", armcompute.OperatingSystemTypesLinux)},
		{404, "NotFound", "a route that is not there", get(c, path("GET", scope+"/providers/Microsoft.Compute/galleries/"+w.gallery+"/nothing"), w.group, w.gallery)},
		{404, "RoleAssignmentNotFound", "an assignment that is not there", func() error { _, err := c.roles.Get(ctx, scope, nowhere, nil); return err }()},
		{405, "MethodNotAllowed", "a POST to a gallery", get(c, path("POST", scope+"/providers/Microsoft.Compute/galleries/"+w.gallery), w.group, w.gallery)},
		{409, "Conflict", "publisher, offer and sku of another definition", c.image(ctx, w.gallery, "twin", "O", armcompute.OperatingSystemTypesLinux)},
		{409, "OperationNotAllowed", "a region dropped without leave", shrunk},
		{409, "PropertyChangeNotAllowed", "another operating system", c.image(ctx, w.gallery, "debian", "o", armcompute.OperatingSystemTypesWindows)},
		{409, "CannotDeleteResource", "a gallery with definitions", full},
		{409, "InvalidResourceLocation", "the same gallery elsewhere", c.gallery(ctx, w.group, w.gallery, armcompute.Gallery{Location: &w.regions[1]})},
		{409, "DeleteGalleryImageVersionBlockedBeforeEndOfLife", "a version that must last", drop("2.0.0")},
		{409, "RoleAssignmentExists", "the same assignment by another name", twice},
		{200, "ImportFailed", "a package that is not where it should be", c.missing(ctx)},
		{412, "PreconditionFailed", "a tag of another time", c.gallery(policy.WithHTTPHeader(ctx, http.Header{"If-Match": {`"1"`}}), w.group, w.gallery, place)},
		{412, "PreconditionFailed", "a gallery that should be new", c.gallery(policy.WithHTTPHeader(ctx, http.Header{"If-None-Match": {"*"}}), w.group, w.gallery, place)},
	})
}

// missing makes an application version of a package that is not there: its operation fails.
func (c *clients) missing(ctx context.Context) error {
	w := c.w
	p, err := c.f.NewGalleryApplicationsClient().BeginCreateOrUpdate(ctx, w.group, w.gallery, "agent", armcompute.GalleryApplication{Location: &w.regions[0],
		Properties: &armcompute.GalleryApplicationProperties{SupportedOSType: to.Ptr(armcompute.OperatingSystemTypesLinux)}}, nil)
	if err != nil {
		return err
	}
	if _, err := p.PollUntilDone(ctx, often); err != nil {
		return err
	}
	v, err := c.f.NewGalleryApplicationVersionsClient().BeginCreateOrUpdate(ctx, w.group, w.gallery, "agent", "1.0.0", armcompute.GalleryApplicationVersion{Location: &w.regions[0],
		Properties: &armcompute.GalleryApplicationVersionProperties{PublishingProfile: &armcompute.GalleryApplicationVersionPublishingProfile{
			Source: &armcompute.UserArtifactSource{MediaLink: to.Ptr(w.packageURL + ".gone")}, ManageActions: &armcompute.UserArtifactManage{Install: to.Ptr("i"), Remove: to.Ptr("r")}}}}, nil)
	if err != nil {
		return err
	}
	_, err = v.PollUntilDone(ctx, often)
	return err
}

// storyFull makes a version where a region's store is full: its operation fails and names the region. Told again, it is healed.
func storyFull(ctx context.Context, w *world) error {
	w.group, w.gallery = os.Getenv("STORY_GROUP"), os.Getenv("STORY_GALLERY")
	c, err := w.as(w.sub, w.cred)
	if err != nil {
		return err
	}
	err = c.version(ctx, w.gallery, "4.0.0", w.snapshot, 3, nil)
	if os.Getenv("STORY_FULL") == "" {
		return err
	}
	var r *azcore.ResponseError
	if errors.As(err, &r) && !strings.Contains(r.Error(), `"`+os.Getenv("STORY_FULL")+`"`) {
		return fmt.Errorf("the failure does not name the region: %w", err)
	}
	return errors.Join(expect([]refusal{{200, "ReplicationJobsNotCompleted", "a region whose store is full", err}}))
}

// storyAlone writes to a node that has no leader, and logs in too often with a wrong secret.
func storyAlone(ctx context.Context, w *world) error {
	c, err := w.as(w.sub, w.cred)
	if err != nil {
		return err
	}
	_, err = c.groups.CreateOrUpdate(ctx, "rg-alone", armresources.ResourceGroup{Location: &w.regions[0]}, nil)
	wrong := runtime.NewPipeline("story", "1", runtime.PipelineOptions{}, &policy.ClientOptions{Transport: w.http, Retry: policy.RetryOptions{MaxRetries: -1}})
	var guess error
	for range 12 {
		guess = try(ctx, wrong, w)
	}
	return expect([]refusal{{503, "ServiceUnavailable", "no leader", err}, {429, "TooManyRequests", "secrets guessed", guess}})
}

// try is a login with a wrong secret, through the SDK's pipeline.
func try(ctx context.Context, p runtime.Pipeline, w *world) error {
	req, err := runtime.NewRequest(ctx, http.MethodPost, w.base+"/adfs/oauth2/token")
	if err != nil {
		return err
	}
	form := "grant_type=client_credentials&client_id=" + os.Getenv("STORY_CLIENT_ID") + "&client_secret=wrong"
	if err := req.SetBody(streaming.NopCloser(strings.NewReader(form)), "application/x-www-form-urlencoded"); err != nil {
		return err
	}
	resp, err := p.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	if resp.StatusCode == http.StatusTooManyRequests && resp.Header.Get("Retry-After") != "" { // OAuth has no word for it: the status is the code
		return &azcore.ResponseError{StatusCode: resp.StatusCode, ErrorCode: "TooManyRequests"}
	}
	return runtime.NewResponseError(resp)
}

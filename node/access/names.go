package access

import (
	"fmt"
	"strings"

	"loggia/api/authz"
	"loggia/api/azure/armid"
	"loggia/gallery"
	"loggia/gallery/rbac"
)

// Names gives the ids of what the native routes name: they lie in the default subscription.
type Names struct{ State func() View }

var _ authz.Names = Names{}

// SubscriptionScope is the canonical id of a subscription.
func SubscriptionScope(id gallery.SubscriptionID) string { return "/subscriptions/" + string(id) }

// GroupScope is the canonical id of a resource group.
func GroupScope(id gallery.SubscriptionID, group string) string {
	return SubscriptionScope(id) + "/resourceGroups/" + group
}

// Subscription implements authz.Names.
func (n Names) Subscription() string {
	if c := n.State().Cluster(); c != nil {
		return SubscriptionScope(c.Subscription)
	}
	return "/subscriptions/none"
}

// Gallery implements authz.Names. A gallery lies in its group; one that does not exist would be made in the default one.
func (n Names) Gallery(g string) string {
	v := n.State()
	c := v.Cluster()
	if c == nil {
		return "/subscriptions/none/galleries/" + g
	}
	group := gallery.DefaultGroup
	if row := v.Gallery(gallery.GalleryRef{Subscription: c.Subscription, Gallery: gallery.GalleryName(g)}); row != nil {
		group = row.ResourceGroup
	}
	return GroupScope(c.Subscription, string(group)) + "/providers/Microsoft.Compute/galleries/" + g
}

// Image implements authz.Names.
func (n Names) Image(g, i string) string {
	if app, ok := strings.CutPrefix(i, "@"); ok { // as gallery.ImageRef writes applications
		return n.Gallery(g) + "/applications/" + app
	}
	return n.Gallery(g) + "/images/" + i
}

// Version implements authz.Names.
func (n Names) Version(g, i, v string) string { return n.Image(g, i) + "/versions/" + v }

// Upload implements authz.Names.
func (n Names) Upload(id string) authz.Target {
	target := ""
	if row := n.State().Upload(gallery.UploadID(id)); row != nil {
		target = row.Target
	}
	t, _, _ := n.Wanted(target) // what is in a row was checked when it got there
	return t
}

// writes are the actions that putting a disk into a resource needs, by type.
var writes = map[string]string{
	"Microsoft.Compute/galleries/images/versions":       "Microsoft.Compute/galleries/images/versions/write",
	"Microsoft.Compute/galleries/applications/versions": "Microsoft.Compute/galleries/applications/versions/write",
	"Microsoft.Compute/snapshots":                       "Microsoft.Compute/snapshots/write",
}

// anyWrite is what a disk needs that is for nothing in particular.
const anyWrite = "Microsoft.Compute/galleries/images/versions/write"

// Wanted says what a disk that is meant for target needs, by the canonical id, and whose it will be. No target means
// anything in the default group of the default subscription; the scope is that group then.
func (n Names) Wanted(target string) (authz.Target, gallery.TenantID, error) {
	v := n.State()
	c := v.Cluster()
	if c == nil {
		return authz.Target{Scope: rbac.Root, Action: anyWrite}, "", &gallery.Error{Kind: gallery.ErrUnavailable, Message: "the cluster is not founded yet"}
	}
	if target == "" {
		return authz.Target{Scope: GroupScope(c.Subscription, string(gallery.DefaultGroup)), Action: anyWrite}, c.Tenant, nil
	}
	id, err := armid.ParseID(target)
	action := writes[id.Type()]
	tenant, there := subscriptionTenant(v, id.Subscription())
	if err != nil || id.Collection() || id.Extension() || action == "" || !there || id.Group() == "" {
		return authz.Target{Scope: rbac.Root, Action: anyWrite}, "", &gallery.Error{Kind: gallery.ErrInvalid, Op: "open upload", Field: "target",
			Message: fmt.Sprintf("%q: must be the id of an image version, an application version or a snapshot", clipped(target))}
	}
	return authz.Target{Scope: id.String(), Action: action}, tenant, nil
}

func clipped(s string) string {
	if len(s) > 100 {
		return s[:100] + "..."
	}
	return s
}

package gallery

// The ids of Azure's Resource Manager, in canonical spelling. Role assignments and operations name things by them.

// Scope returns the id of a subscription.
func (s SubscriptionID) Scope() string { return "/subscriptions/" + string(s) }

// Scope returns the id of a resource group.
func (r GroupRef) Scope() string {
	return r.Subscription.Scope() + "/resourceGroups/" + string(r.Group)
}

const computeProvider = "/providers/Microsoft.Compute"

// Scope returns the gallery's id.
func (g *Gallery) Scope() string { return galleryScope(g.Ref, g.ResourceGroup) }

func galleryScope(r GalleryRef, group string) string {
	return GroupRef{r.Subscription, GroupName(group)}.Scope() + computeProvider + "/galleries/" + string(r.Gallery)
}

// Scope returns the definition's id.
func (i *Image) Scope() string { return imageScope(i.Ref, i.ResourceGroup) }

func imageScope(r ImageRef, group string) string {
	kind := "/images/"
	if r.Kind == ArtifactApplication {
		kind = "/applications/"
	}
	return galleryScope(r.GalleryRef, group) + kind + string(r.Image)
}

// Scope returns the version's id.
func (v *ImageVersion) Scope() string {
	return imageScope(v.Ref.ImageRef, v.ResourceGroup) + "/versions/" + v.Ref.Version.String()
}

// Scope returns the snapshot's id.
func (s *Snapshot) Scope() string {
	return s.Ref.GroupRef.Scope() + computeProvider + "/snapshots/" + string(s.Ref.Name)
}

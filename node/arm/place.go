package arm

import (
	"context"

	"loggia/api/azure"
	"loggia/fsm/command"
	"loggia/gallery"
)

// Tenants implements azure.Service.
func (s *Service) Tenants(context.Context) ([]gallery.Tenant, error) {
	return values(s.o.State().Tenants()), nil
}

// Subscriptions implements azure.Service.
func (s *Service) Subscriptions(context.Context) ([]gallery.Subscription, error) {
	return values(s.o.State().Subscriptions("")), nil
}

// Subscription implements azure.Service.
func (s *Service) Subscription(_ context.Context, id gallery.SubscriptionID) (gallery.Subscription, error) {
	return found(s.o.State().Subscription(id), string(id))
}

// Regions implements azure.Service.
func (s *Service) Regions(context.Context) ([]gallery.Region, error) {
	return values(s.o.State().Regions()), nil
}

// Groups implements azure.Service.
func (s *Service) Groups(_ context.Context, sub gallery.SubscriptionID) ([]gallery.ResourceGroup, error) {
	return values(s.o.State().Groups(sub)), nil
}

// Group implements azure.Service.
func (s *Service) Group(_ context.Context, ref gallery.GroupRef) (gallery.ResourceGroup, error) {
	return found(s.o.State().Group(ref), string(ref.Group))
}

// PutGroup implements azure.Service.
func (s *Service) PutGroup(ctx context.Context, g gallery.ResourceGroup, w azure.Write) (gallery.ResourceGroup, error) {
	return put[gallery.ResourceGroup](ctx, s, w, &command.GroupPut{Group: g, If: precondition(w)})
}

// DeleteGroup implements azure.Service.
func (s *Service) DeleteGroup(ctx context.Context, ref gallery.GroupRef, w azure.Write) error {
	_, err := s.propose(ctx, w, &command.GroupDelete{Ref: ref, If: precondition(w)})
	return err
}

// Galleries implements azure.Service.
func (s *Service) Galleries(_ context.Context, sub gallery.SubscriptionID) ([]gallery.Gallery, error) {
	return values(s.o.State().Galleries(sub)), nil
}

// Gallery implements azure.Service.
func (s *Service) Gallery(_ context.Context, ref gallery.GalleryRef) (gallery.Gallery, error) {
	return found(s.o.State().Gallery(ref), ref.String())
}

// PutGallery implements azure.Service.
func (s *Service) PutGallery(ctx context.Context, g gallery.Gallery, w azure.Write) (gallery.Gallery, error) {
	var err error
	if g.Tenant, err = s.tenant(s.o.State(), g.Ref.Subscription); err != nil {
		return g, err
	}
	return put[gallery.Gallery](ctx, s, w, &command.GalleryPut{Gallery: g, If: precondition(w)})
}

// DeleteGallery implements azure.Service.
func (s *Service) DeleteGallery(ctx context.Context, ref gallery.GalleryRef, w azure.Write) error {
	_, err := s.propose(ctx, w, &command.GalleryDelete{Ref: ref, If: precondition(w)})
	return err
}

// Images implements azure.Service.
func (s *Service) Images(_ context.Context, ref gallery.GalleryRef, kind gallery.ArtifactKind) ([]gallery.Image, error) {
	v := s.o.State()
	if kind == gallery.ArtifactApplication {
		return values(v.Applications(ref)), nil
	}
	return values(v.Images(ref)), nil
}

// Image implements azure.Service.
func (s *Service) Image(_ context.Context, ref gallery.ImageRef) (gallery.Image, error) {
	return found(s.o.State().Image(ref), ref.String())
}

// PutImage implements azure.Service.
func (s *Service) PutImage(ctx context.Context, i gallery.Image, w azure.Write) (gallery.Image, error) {
	return put[gallery.Image](ctx, s, w, &command.ImagePut{Image: i, If: precondition(w)})
}

// DeleteImage implements azure.Service.
func (s *Service) DeleteImage(ctx context.Context, ref gallery.ImageRef, w azure.Write) error {
	_, err := s.propose(ctx, w, &command.ImageDelete{Ref: ref, If: precondition(w)})
	return err
}

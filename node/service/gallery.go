package service

import (
	"context"
	"strings"

	"loggia/api/manage"
	"loggia/fsm/command"
	"loggia/fsm/state"
	"loggia/gallery"
)

// galleryRef checks a gallery's name.
func (s *Service) galleryRef(v *state.View, g string) (gallery.GalleryRef, *gallery.Cluster, error) {
	c, err := s.defaults(v)
	if err != nil {
		return gallery.GalleryRef{}, nil, err
	}
	name, err := gallery.ParseGalleryName(g)
	return gallery.GalleryRef{Subscription: c.Subscription, Gallery: name}, c, err
}

func (s *Service) imageRef(v *state.View, g, i string) (gallery.ImageRef, error) {
	ref, _, err := s.galleryRef(v, g)
	if err != nil {
		return gallery.ImageRef{}, err
	}
	if app, ok := strings.CutPrefix(i, "@"); ok { // as gallery.ImageRef writes applications
		name, err := gallery.ParseApplicationName(app)
		return gallery.ImageRef{GalleryRef: ref, Image: name, Kind: gallery.ArtifactApplication}, err
	}
	name, err := gallery.ParseImageName(i)
	return gallery.ImageRef{GalleryRef: ref, Image: name}, err
}

// Galleries implements manage.Service.
func (s *Service) Galleries(context.Context) ([]gallery.Gallery, error) {
	v := s.o.State()
	c, err := s.defaults(v)
	if err != nil {
		return nil, err
	}
	return values(v.Galleries(c.Subscription)), nil
}

// Gallery implements manage.Service.
func (s *Service) Gallery(_ context.Context, g string) (gallery.Gallery, error) {
	v := s.o.State()
	ref, _, err := s.galleryRef(v, g)
	if err != nil {
		return gallery.Gallery{}, err
	}
	row := v.Gallery(ref)
	if row == nil {
		return gallery.Gallery{}, notFound("get gallery", g)
	}
	return *row, nil
}

// PutGallery implements manage.Service. A location that is not given is kept, or the asked node's.
func (s *Service) PutGallery(ctx context.Context, g gallery.Gallery, c manage.Condition) (gallery.Gallery, error) {
	v := s.o.State()
	ref, cluster, err := s.galleryRef(v, string(g.Ref.Gallery))
	if err != nil {
		return g, err
	}
	g.Ref, g.Tenant, g.ResourceGroup = ref, cluster.Tenant, group
	old := v.Gallery(ref)
	if old != nil {
		g.Ref, g.ResourceGroup, g.Wire = old.Ref, old.ResourceGroup, old.Wire
	}
	if g.Location, err = location(ctx, g.Location, old != nil, func() gallery.RegionName { return old.Location }); err != nil {
		return g, err
	}
	return put[gallery.Gallery](ctx, s, &command.GalleryPut{Gallery: g, If: precondition(c)})
}

// location normalises a location, or finds the one that stands for none.
func location(ctx context.Context, given gallery.RegionName, exists bool, old func() gallery.RegionName) (gallery.RegionName, error) {
	switch {
	case given != "":
		return gallery.ParseRegionName(string(given))
	case exists:
		return old(), nil
	}
	return CallerOf(ctx).Region, nil
}

// DeleteGallery implements manage.Service.
func (s *Service) DeleteGallery(ctx context.Context, g string, c manage.Condition) error {
	ref, _, err := s.galleryRef(s.o.State(), g)
	if err != nil {
		return err
	}
	_, err = s.propose(ctx, &command.GalleryDelete{Ref: ref, If: precondition(c)})
	return err
}

// Images implements manage.Service.
func (s *Service) Images(_ context.Context, g string) ([]gallery.Image, error) {
	v := s.o.State()
	ref, _, err := s.galleryRef(v, g)
	if err != nil {
		return nil, err
	}
	if v.Gallery(ref) == nil {
		return nil, notFound("list images", g)
	}
	return values(v.Images(ref)), nil
}

// Image implements manage.Service.
func (s *Service) Image(_ context.Context, g, i string) (gallery.Image, error) {
	v := s.o.State()
	ref, err := s.imageRef(v, g, i)
	if err != nil {
		return gallery.Image{}, err
	}
	row := v.Image(ref)
	if row == nil {
		return gallery.Image{}, notFound("get image", g+"/"+i)
	}
	return *row, nil
}

// PutImage implements manage.Service. A location that is not given is kept, or the gallery's.
func (s *Service) PutImage(ctx context.Context, g string, i gallery.Image, c manage.Condition) (gallery.Image, error) {
	v := s.o.State()
	ref, err := s.imageRef(v, g, string(i.Ref.Image))
	if err != nil {
		return i, err
	}
	i.Ref, i.ResourceGroup = ref, group
	if old := v.Image(ref); old != nil {
		i = merged(i, old)
	}
	parent := v.Gallery(ref.GalleryRef)
	if i.Location, err = location(ctx, i.Location, parent != nil, func() gallery.RegionName { return parent.Location }); err != nil {
		return i, err
	}
	return put[gallery.Image](ctx, s, &command.ImagePut{Image: i, If: precondition(c)})
}

// merged keeps what this surface cannot say of an image definition.
func merged(i gallery.Image, old *gallery.Image) gallery.Image {
	i.Ref, i.ResourceGroup = old.Ref, old.ResourceGroup
	if i.Location == "" {
		i.Location = old.Location
	}
	i.Features, i.AllowUpdate, i.Recommended, i.DisallowedTypes = old.Features, old.AllowUpdate, old.Recommended, old.DisallowedTypes
	i.Wire = old.Wire
	i.PurchasePlan, i.EULA, i.PrivacyURI, i.ReleaseNoteURI = old.PurchasePlan, old.EULA, old.PrivacyURI, old.ReleaseNoteURI
	return i
}

// DeleteImage implements manage.Service.
func (s *Service) DeleteImage(ctx context.Context, g, i string, c manage.Condition) error {
	ref, err := s.imageRef(s.o.State(), g, i)
	if err != nil {
		return err
	}
	_, err = s.propose(ctx, &command.ImageDelete{Ref: ref, If: precondition(c)})
	return err
}

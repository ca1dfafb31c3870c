package service

import (
	"context"

	"github.com/google/uuid"

	"loggia/api/v1"
	"loggia/fsm/command"
	"loggia/gallery"
)

// Tenants implements manage.Identity.
func (s *Service) Tenants(context.Context) ([]v1.Tenant, error) {
	v := s.o.State()
	c, err := s.defaults(v)
	if err != nil {
		return nil, err
	}
	var out []v1.Tenant
	for _, t := range v.Tenants() {
		out = append(out, v1.Tenant{ID: string(t.ID), Name: t.Name, Default: t.ID == c.Tenant, Created: t.Created})
	}
	return out, nil
}

// CreateTenant implements manage.Identity. An id that is not given is made.
func (s *Service) CreateTenant(ctx context.Context, t v1.Tenant) (v1.Tenant, error) {
	if t.ID == "" {
		t.ID = uuid.NewString()
	}
	row, err := put[gallery.Tenant](ctx, s, &command.TenantPut{Tenant: gallery.Tenant{ID: gallery.TenantID(t.ID), Name: t.Name}, If: command.Precondition{Absent: true}})
	return v1.Tenant{ID: string(row.ID), Name: row.Name, Created: row.Created}, err
}

// Subscriptions implements manage.Identity.
func (s *Service) Subscriptions(context.Context) ([]v1.Subscription, error) {
	v := s.o.State()
	c, err := s.defaults(v)
	if err != nil {
		return nil, err
	}
	var out []v1.Subscription
	for _, x := range v.Subscriptions("") {
		out = append(out, v1.Subscription{ID: string(x.ID), Tenant: string(x.Tenant), Name: x.Name, Default: x.ID == c.Subscription, Created: x.Created})
	}
	return out, nil
}

// CreateSubscription implements manage.Identity. A tenant that is not given is the default one, an id that is not given is made.
func (s *Service) CreateSubscription(ctx context.Context, x v1.Subscription) (v1.Subscription, error) {
	if x.Tenant == "" {
		c, err := s.defaults(s.o.State())
		if err != nil {
			return x, err
		}
		x.Tenant = string(c.Tenant)
	}
	if x.ID == "" {
		x.ID = uuid.NewString()
	}
	row, err := put[gallery.Subscription](ctx, s, &command.SubscriptionPut{Subscription: gallery.Subscription{ID: gallery.SubscriptionID(x.ID), Tenant: gallery.TenantID(x.Tenant), Name: x.Name},
		If: command.Precondition{Absent: true}})
	return v1.Subscription{ID: string(row.ID), Tenant: string(row.Tenant), Name: row.Name, Created: row.Created}, err
}

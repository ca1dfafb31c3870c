package arm

import (
	"context"

	"loggia/api/azure"
	"loggia/fsm/command"
	"loggia/gallery"
)

// RoleDefinitions implements azure.Service: the custom roles of the subscription's tenant; none at the root.
func (s *Service) RoleDefinitions(_ context.Context, sub gallery.SubscriptionID) ([]gallery.RoleDefinition, error) {
	v := s.o.State()
	tenant, err := s.tenant(v, sub)
	if err != nil {
		return nil, nil
	}
	var out []gallery.RoleDefinition
	for _, d := range v.Roles(tenant) {
		out = append(out, *d)
	}
	return out, nil
}

// PutRoleDefinition implements azure.Service.
func (s *Service) PutRoleDefinition(ctx context.Context, d gallery.RoleDefinition, w azure.Write) (gallery.RoleDefinition, error) {
	return put[gallery.RoleDefinition](ctx, s, w, &command.RolePut{Role: d, If: precondition(w)})
}

// DeleteRoleDefinition implements azure.Service.
func (s *Service) DeleteRoleDefinition(ctx context.Context, id gallery.RoleID, w azure.Write) error {
	_, err := s.propose(ctx, w, &command.RoleDelete{ID: id, If: precondition(w)})
	return err
}

// RoleAssignments implements azure.Service.
func (s *Service) RoleAssignments(context.Context) ([]gallery.RoleAssignment, error) {
	return values(s.o.State().AssignmentsUnder(gallery.RootScope)), nil
}

// PutRoleAssignment implements azure.Service.
func (s *Service) PutRoleAssignment(ctx context.Context, a gallery.RoleAssignment, w azure.Write) (gallery.RoleAssignment, error) {
	return put[gallery.RoleAssignment](ctx, s, w, &command.AssignmentPut{Assignment: a, If: precondition(w)})
}

// DeleteRoleAssignment implements azure.Service.
func (s *Service) DeleteRoleAssignment(ctx context.Context, a gallery.RoleAssignment, w azure.Write) error {
	_, err := s.propose(ctx, w, &command.AssignmentDelete{Scope: a.Scope, ID: a.ID, If: precondition(w)})
	return err
}

// Principal implements azure.Service.
func (s *Service) Principal(_ context.Context, id gallery.PrincipalID) (gallery.Principal, error) {
	return found(s.o.State().Principal(id), string(id))
}

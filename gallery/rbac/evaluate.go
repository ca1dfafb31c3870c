package rbac

import "fmt"

// Permission is what a role gives: actions minus notActions on resources, dataActions minus notDataActions on the data
// in them. Its strings are patterns (Match).
type Permission struct {
	Actions, NotActions, DataActions, NotDataActions []string
}

// Assignment gives the permissions of a role at a scope to the principal that is asked about, be it directly or through a group.
type Assignment struct {
	ID          string // of the assignment, for the reason
	Role        string // name or id of the role, for the reason
	Scope       string
	Permissions []Permission
}

// Decision is the answer to one question, with its reason.
type Decision struct {
	Allowed  bool
	Action   string
	Resource string
	// By is the assignment that grants the action. Of a refusal it is the first whose notActions take away what its
	// actions would give, or nil.
	By *Assignment
	// Pattern is the action of By that grants, or the notAction that takes away.
	Pattern string
	// Reaching counts the assignments at the resource or above it that were looked at.
	Reaching int
}

// Evaluate says whether the assignments of one principal allow an action on a resource; data asks for the data in it.
// The default is no.
func Evaluate(assignments []Assignment, action string, data bool, resource string) Decision {
	d := Decision{Action: action, Resource: resource}
	if action == "" || !wellFormed(resource) {
		return d
	}
	for i := range assignments {
		a := &assignments[i]
		if !covers(a.Scope, resource) {
			continue
		}
		d.Reaching++
		granted, pattern := a.grants(action, data)
		if granted {
			d.Allowed, d.By, d.Pattern = true, a, pattern
			return d
		}
		if pattern != "" && d.By == nil {
			d.By, d.Pattern = a, pattern
		}
	}
	return d
}

// grants says whether one of the permissions gives the action, and by which pattern; of a refusal the pattern is the
// notAction that took it away, if one did.
func (a *Assignment) grants(action string, data bool) (bool, string) {
	excluded := ""
	for i := range a.Permissions {
		p := &a.Permissions[i]
		give, take := p.Actions, p.NotActions
		if data {
			give, take = p.DataActions, p.NotDataActions
		}
		by, ok := firstMatch(give, action)
		if !ok {
			continue
		}
		not, ok := firstMatch(take, action)
		if !ok {
			return true, by
		}
		if excluded == "" {
			excluded = not
		}
	}
	return false, excluded
}

// Reason says in one sentence why, for logs and for `who may` questions. It names roles and scopes of the
// principal that was asked about, so it is for the operator and not for the one who was refused.
func (d Decision) Reason() string {
	switch {
	case d.Allowed:
		return fmt.Sprintf("role %s at %s grants %s by %s", d.By.Role, d.By.Scope, d.Action, d.Pattern)
	case d.By != nil:
		return fmt.Sprintf("role %s at %s excludes %s by %s, and no other assignment grants it", d.By.Role, d.By.Scope, d.Action, d.Pattern)
	case d.Reaching > 0:
		return fmt.Sprintf("none of the %d assignments at %s or above grants %s", d.Reaching, d.Resource, d.Action)
	case !wellFormed(d.Resource):
		return "the resource is no canonical id"
	}
	return fmt.Sprintf("no assignment at %s or above", d.Resource)
}

// Reach is where one principal may do one thing: the scopes of the assignments that grant it. It answers for the many
// resources of a list what Evaluate answers for one.
type Reach []string

// Where returns the reach of an action.
func Where(assignments []Assignment, action string, data bool) Reach {
	var r Reach
	if action == "" {
		return r
	}
	for i := range assignments {
		if ok, _ := assignments[i].grants(action, data); ok {
			r = append(r, assignments[i].Scope)
		}
	}
	return r
}

// Covers says whether the resource is within reach.
func (r Reach) Covers(resource string) bool {
	if !wellFormed(resource) {
		return false
	}
	for _, scope := range r {
		if covers(scope, resource) {
			return true
		}
	}
	return false
}

// Permissions returns what the assignments give at a resource, one element for each permission, in their order.
func Permissions(assignments []Assignment, resource string) []Permission {
	if !wellFormed(resource) {
		return nil
	}
	var all []Permission
	for i := range assignments {
		if covers(assignments[i].Scope, resource) {
			all = append(all, assignments[i].Permissions...)
		}
	}
	return all
}

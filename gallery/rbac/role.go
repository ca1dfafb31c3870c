package rbac

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"loggia/gallery"
)

// Role is a named set of permissions and where it may be assigned.
type Role struct {
	ID               string // UUID
	Name             string
	Description      string
	Permissions      []Permission
	AssignableScopes []string
}

// Bounds of a custom role. Together they keep it within one command of the log.
const (
	MaxRoleName         = 512      // bytes
	MaxRoleText         = 2048     // bytes of the description, and of each pattern
	MaxRolePermissions  = 16       // elements
	MaxRolePatterns     = 512      // of all permissions together
	MaxAssignableScopes = 64       // elements
	MaxRoleBytes        = 16 << 10 // of all its strings together
)

// AssignableAt says whether the role may be assigned at scope: at or below one of its assignable scopes.
func (r *Role) AssignableAt(scope string) bool {
	for _, s := range r.AssignableScopes {
		if Covers(s, scope) {
			return true
		}
	}
	return false
}

// ValidateCustom checks a custom role: what needs no other row. The first broken rule is an ErrInvalid that names the field.
func (r *Role) ValidateCustom() error {
	if !gallery.ValidID(r.ID) {
		return invalid("id", "a UUID in canonical lower-case text")
	}
	if _, ok := BuiltInByID(r.ID); ok {
		return invalid("id", "not the id of a built-in role")
	}
	if err := validateRoleName(r.Name); err != nil {
		return err
	}
	if len(r.Description) > MaxRoleText || !utf8.ValidString(r.Description) {
		return invalid("properties.description", "at most %d bytes of UTF-8", MaxRoleText)
	}
	if err := validatePermissions(r.Permissions); err != nil {
		return err
	}
	if err := validateAssignable(r.AssignableScopes); err != nil {
		return err
	}
	if r.bytes() > MaxRoleBytes {
		return invalid("properties.permissions", "at most %d bytes in all strings of a role", MaxRoleBytes)
	}
	return nil
}

func validateRoleName(name string) error {
	if strings.TrimSpace(name) == "" || len(name) > MaxRoleName || !utf8.ValidString(name) || strings.ContainsFunc(name, isControl) {
		return invalid("properties.roleName", "1 to %d bytes of UTF-8 without control characters", MaxRoleName)
	}
	if _, ok := BuiltInByName(strings.TrimSpace(name)); ok {
		return invalid("properties.roleName", "not the name of a built-in role")
	}
	return nil
}

func isControl(c rune) bool { return c < ' ' || c == 0x7f }

func validatePermissions(all []Permission) error {
	if len(all) == 0 || len(all) > MaxRolePermissions {
		return invalid("properties.permissions", "1 to %d elements", MaxRolePermissions)
	}
	patterns := 0
	for i, p := range all {
		for _, list := range []struct {
			name     string
			patterns []string
		}{
			{"actions", p.Actions}, {"notActions", p.NotActions}, {"dataActions", p.DataActions}, {"notDataActions", p.NotDataActions},
		} {
			if patterns += len(list.patterns); patterns > MaxRolePatterns {
				return invalid("properties.permissions", "at most %d actions in all", MaxRolePatterns)
			}
			for j, s := range list.patterns {
				if !validPattern(s) {
					return invalid(fmt.Sprintf("properties.permissions[%d].%s[%d]", i, list.name, j), rulePattern, MaxRoleText)
				}
			}
		}
	}
	return nil
}

const rulePattern = "1 to %d letters, digits, '.', '_', '-', '*' and '/' between names, as Microsoft.Compute/galleries/*/read"

func validPattern(s string) bool {
	if s == "" || len(s) > MaxRoleText {
		return false
	}
	for i := range len(s) {
		switch c := lower(s[i]); {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '.', c == '_', c == '-', c == '*':
		case c == '/' && i > 0 && i < len(s)-1 && s[i-1] != '/':
		default:
			return false
		}
	}
	return true
}

func validateAssignable(scopes []string) error {
	if len(scopes) == 0 || len(scopes) > MaxAssignableScopes {
		return invalid("properties.assignableScopes", "1 to %d scopes", MaxAssignableScopes)
	}
	for i, s := range scopes {
		field := fmt.Sprintf("properties.assignableScopes[%d]", i)
		if s == Root {
			return invalid(field, "not the root: only built-in roles reach beyond subscriptions")
		}
		if ValidateScope(s) != nil {
			return invalid(field, ruleScope)
		}
	}
	return nil
}

func (r *Role) bytes() int {
	n := len(r.Name) + len(r.Description)
	for _, p := range r.Permissions {
		for _, list := range [][]string{p.Actions, p.NotActions, p.DataActions, p.NotDataActions} {
			for _, s := range list {
				n += len(s)
			}
		}
	}
	for _, s := range r.AssignableScopes {
		n += len(s)
	}
	return n
}

func invalid(field, rule string, args ...any) *gallery.Error {
	if len(args) > 0 {
		rule = fmt.Sprintf(rule, args...)
	}
	return &gallery.Error{Kind: gallery.ErrInvalid, Field: field, Message: rule}
}

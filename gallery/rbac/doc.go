// Package rbac decides by roles who may do what, and says why.
//
// It has Azure's semantics: an assignment gives a principal the permissions of a role at a scope and at everything
// below it; a permission is actions minus notActions; rights of several assignments add up, and nothing that one
// takes away is missing from what another gives. Everything is pure: the caller gathers the assignments of a principal
// and of its groups, and puts each role's permissions beside them.
//
// Scopes, resources and actions compare without regard to the case of ASCII letters. Scopes and resources are ids of
// Azure's Resource Manager in canonical form (api/azure/armid); what is malformed is covered by nothing.
package rbac

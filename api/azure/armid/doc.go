// Package armid reads and writes the ids of Azure's Resource Manager.
//
// An id is a path of types and names: /subscriptions/{s}/resourceGroups/{g}/providers/Microsoft.Compute/galleries/{g}.
// Clients differ in case, in doubled and trailing slashes and in what they percent-encode. All of that ends here, once
// and before authorisation: behind Parse there is one spelling (String) and one key (Fold) of each resource.
//
// Terms. A block is a run of type and name pairs in one namespace; the first has no /providers/ in front and belongs to
// Microsoft.Resources. A later block hangs on all that stands before it, its scope. An extension is a resource that can
// hang on any scope, as locks and role assignments do. An id that ends in a type is a collection, or an action on what
// stands before (share, beginGetAccess); only the route knows which.
package armid

// Package schema is the one table of the wire's fields: what each is, since which api-version clients know it, and what a write keeps.
//
// It works on trees of JSON. Decode makes a tree of what a client sent, Merge lays it over the tree of what there is, the checks
// say what may not be, Render is what is answered. Rows know nothing of it.
package schema

// Package azure serves the wire protocol of Azure's Resource Manager for galleries and what stands around them, so that
// unmodified Azure clients drive Loggia.
//
// One table (routes.go) names every route with the action that it needs; handlers decode, ask one use case, and encode.
package azure

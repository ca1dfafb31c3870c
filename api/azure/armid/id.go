package armid

import (
	"strings"

	"loggia/gallery"
)

// ID is the id of a resource, a collection or an action. The zero ID is the root. An ID is never changed.
//
// parts[i] is a type (or "providers") for even i, and a name (or a namespace) for odd i.
type ID struct {
	parts []string // in canonical spelling
	block int      // index of the last block's "providers", plus one; 0 in the first block
}

// newID finds the last block of parts, which it keeps.
func newID(parts []string) ID {
	id := ID{parts: parts}
	for i := 0; i < len(parts); i += 2 {
		if beginsBlock(parts[i:]) {
			id.block = i + 1
		}
	}
	return id
}

// beginsBlock says whether /providers/{namespace} stands at the head of rest in front of a type. Alone it is the
// provider itself: a resource of the block that it stands in, with the actions register and unregister.
func beginsBlock(rest []string) bool {
	if len(rest) < 3 || rest[0] != segProviders {
		return false
	}
	return len(rest) > 3 || rest[2] != segRegister && rest[2] != segUnregister
}

// head is the index of the last block's first type.
func (id ID) head() int {
	if id.block == 0 {
		return 0
	}
	return id.block + 1
}

// String returns the id in canonical case, names as they were written. The root is "/".
func (id ID) String() string { return "/" + strings.Join(id.parts, "/") }

// Fold returns the id as keys and comparisons use it.
func (id ID) Fold() string { return fold(id.String()) }

// Equal says whether both name the same thing.
func (id ID) Equal(other ID) bool { return id.Fold() == other.Fold() }

// IsRoot says whether id is the root, above all subscriptions.
func (id ID) IsRoot() bool { return len(id.parts) == 0 }

// Collection says whether id ends in a type: it is a list of resources, or an action on Parent.
func (id ID) Collection() bool { return len(id.parts)%2 == 1 }

// Name returns the name of the resource; "" of the root and of a collection.
func (id ID) Name() string {
	if id.IsRoot() || id.Collection() {
		return ""
	}
	return id.parts[len(id.parts)-1]
}

// Names returns the names of the last block in order: gallery, definition and version of a version.
func (id ID) Names() []string {
	var names []string
	for i := id.head() + 1; i < len(id.parts); i += 2 {
		names = append(names, id.parts[i])
	}
	return names
}

// Last returns the last type without its namespace and parents: "versions", or of an action "share".
func (id ID) Last() string {
	if id.IsRoot() {
		return ""
	}
	return id.parts[(len(id.parts)-1)&^1]
}

// Namespace returns the namespace of the last block: "Microsoft.Compute". It is Microsoft.Resources without /providers/,
// and "" of the root and below /SharedGalleries and /CommunityGalleries, which have none.
func (id ID) Namespace() string {
	switch {
	case id.block > 0:
		return id.parts[id.block]
	case id.IsRoot(), outsideResources(id.parts[0]):
		return ""
	}
	return nsResources
}

// Type returns the namespace and all types of the last block: "Microsoft.Compute/galleries/images/versions",
// "Microsoft.Resources/subscriptions/resourceGroups". A collection has the type of its members.
func (id ID) Type() string {
	var b strings.Builder
	b.WriteString(id.Namespace())
	for i := id.head(); i < len(id.parts); i += 2 {
		if b.Len() > 0 {
			b.WriteByte('/')
		}
		b.WriteString(id.parts[i])
	}
	return b.String()
}

// Subscription returns the subscription that the id lies in, or "". It need not exist, nor be a UUID.
func (id ID) Subscription() gallery.SubscriptionID {
	if len(id.parts) < 2 || id.parts[0] != segSubscriptions {
		return ""
	}
	return gallery.SubscriptionID(id.parts[1])
}

// Group returns the name of the resource group that the id lies in, or "".
func (id ID) Group() string {
	if len(id.parts) < 4 || id.parts[0] != segSubscriptions || id.parts[2] != segGroups {
		return ""
	}
	return id.parts[3]
}

// Location returns the region that the last block begins with (/providers/Microsoft.Compute/locations/westus/...), or "".
func (id ID) Location() gallery.RegionName {
	i := id.head()
	if i+1 >= len(id.parts) || id.parts[i] != segLocations {
		return ""
	}
	return gallery.RegionName(id.parts[i+1])
}

// Parent returns what the id hangs on: of a version its definition, of a gallery its resource group, of a resource
// group its subscription, of an extension its scope, of a collection and of an action the resource that they belong to.
// The root is its own parent.
func (id ID) Parent() ID {
	if id.IsRoot() {
		return id
	}
	end := (len(id.parts) - 1) &^ 1
	if id.block > 0 && end == id.head() {
		end = id.block - 1
	}
	return newID(id.parts[:end:end])
}

// Resource returns the resource that a request to the id is about, which is where its right is asked: the id, or of a
// collection and an action its parent.
func (id ID) Resource() ID {
	if id.Collection() {
		return id.Parent()
	}
	return id
}

// Scope returns what stands before the last /providers/: what an extension hangs on, the resource group of a gallery.
// Without one it is the id itself.
func (id ID) Scope() ID {
	if id.block == 0 {
		return id
	}
	return newID(id.parts[: id.block-1 : id.block-1])
}

// Extension says whether the last block can hang on any scope, or hangs on a resource of another block.
func (id ID) Extension() bool {
	if id.block == 0 {
		return false
	}
	return extends(id.parts[id.block], id.parts[id.head()]) || id.Scope().block > 0
}

// Shape returns the folded id with each name as {}, by which a router can look up its route:
// /subscriptions/{}/resourcegroups/{}/providers/microsoft.compute/galleries/{}. That of an extension begins with
// {scope}: {scope}/providers/microsoft.authorization/locks/{}.
func (id ID) Shape() string {
	if id.IsRoot() {
		return "/"
	}
	var b strings.Builder
	from := 0
	if id.Extension() {
		b.WriteString("{scope}")
		from = id.block - 1
	}
	for i := from; i < len(id.parts); i++ {
		b.WriteByte('/')
		if i%2 == 0 || beginsBlock(id.parts[i-1:]) {
			b.WriteString(fold(id.parts[i]))
		} else {
			b.WriteString("{}")
		}
	}
	return b.String()
}

// Child returns the resource of a type and a name in the same block. Both must be canonical: they come from our own
// tables and rows. An empty name gives the collection.
func (id ID) Child(kind, name string) ID {
	parts := append(id.parts[:len(id.parts):len(id.parts)], kind)
	if name != "" {
		parts = append(parts, name)
	}
	return newID(parts)
}

// Provider returns the resource of a type and a name in a new block that hangs on id, under the same rules as Child.
func (id ID) Provider(namespace, kind, name string) ID {
	return ID{parts: append(id.parts[:len(id.parts):len(id.parts)], segProviders, namespace)}.Child(kind, name)
}

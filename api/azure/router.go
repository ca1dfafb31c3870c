package azure

import (
	"fmt"
	"net/http"
	"strings"

	"loggia/api/azure/armid"
)

// route is one line of the table. A route without an action does not start (S1); open is for those that
// every principal may ask and that answer by what the principal may see.
type route struct {
	method string
	path   string                // "/subscriptions/{sub}/..."; a first segment "{scope}" stands for any resource
	action string                // checked at the scope of the path before do is called
	open   bool                  // no action: the answer holds only what the caller may see
	write  bool                  // goes to the leader
	scope  func(*request) string // where the action is checked; nil: the path's own resource
	do     func(*request) (answer, error)
}

// node is one step of the tree of paths. Fixed segments are found by their lower case, and win over a name.
type node struct {
	fixed  map[string]*node
	named  *node
	name   string // of the named child's value
	text   string // the canonical spelling of this segment, "" for a name
	routes map[string]*route
}

// router finds routes. It is built once and then only read.
type router struct {
	absolute *node
	// extensions begin with "providers", behind any scope.
	extensions *node
}

const scopeSegment = "/{scope}"

// newRouter panics on a route that the table must not hold: it is a constant of the program.
func newRouter(table []route) *router {
	r := &router{absolute: &node{}, extensions: &node{}}
	for i := range table {
		at := &table[i]
		if (at.action == "") == !at.open || at.do == nil {
			panic(fmt.Sprintf("route %s %s: an action or open, and something to do", at.method, at.path))
		}
		root, path := r.absolute, at.path
		if rest, ok := strings.CutPrefix(path, scopeSegment); ok {
			root, path = r.extensions, rest
		}
		root.add(at, path)
	}
	return r
}

func (n *node) add(at *route, path string) {
	for s := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
		n = n.child(s)
	}
	if n.routes == nil {
		n.routes = map[string]*route{}
	}
	if n.routes[at.method] != nil {
		panic("two routes " + at.method + " " + at.path)
	}
	n.routes[at.method] = at
}

func (n *node) child(segment string) *node {
	if name, ok := strings.CutPrefix(segment, "{"); ok {
		name = strings.TrimSuffix(name, "}")
		if n.named == nil {
			n.named, n.name = &node{}, name
		}
		if n.name != name {
			panic("two names for one segment: " + n.name + " and " + name)
		}
		return n.named
	}
	if n.fixed == nil {
		n.fixed = map[string]*node{}
	}
	low := strings.ToLower(segment)
	if n.fixed[low] == nil {
		n.fixed[low] = &node{text: segment}
	}
	return n.fixed[low]
}

// match is what a path led to.
type match struct {
	routes map[string]*route // by method; nil where the path leads nowhere
	vars   map[string]string
	path   string // canonical: known segments as they are written in the table, names as they came
	scope  string // canonical: of an extension, what stands before it; else ""
}

// find walks a canonical path. An extension is looked for behind every scope, the last one first, as Resource Manager does.
func (r *router) find(id armid.ID) match {
	segments := segmentsOf(id)
	for i := len(segments) - 2; i >= 0; i-- {
		if !strings.EqualFold(segments[i], "providers") {
			continue
		}
		if m := r.extensions.walk(segments[i:]); m.routes != nil {
			m.scope = "/" + strings.Join(segments[:i], "/")
			m.path = strings.TrimSuffix(m.scope, "/") + m.path
			return m
		}
		break
	}
	return r.absolute.walk(segments)
}

// segmentsOf are the segments of an id in canonical spelling.
func segmentsOf(id armid.ID) []string {
	if id.IsRoot() {
		return nil
	}
	return strings.Split(strings.TrimPrefix(id.String(), "/"), "/")
}

// resource finds the route of a resource that a body or a scope names.
func (r *router) resource(id armid.ID) match { return r.absolute.walk(segmentsOf(id)) }

// walk follows segments to routes. Fixed segments win; where they lead nowhere, the name is tried. The tree is shallow, so
// that this is cheap whatever the path.
func (n *node) walk(segments []string) match {
	vars := map[string]string{}
	routes, path := n.descend(segments, vars)
	if routes == nil {
		return match{}
	}
	return match{routes: routes, vars: vars, path: path}
}

func (n *node) descend(segments []string, vars map[string]string) (map[string]*route, string) {
	if len(segments) == 0 {
		return n.routes, ""
	}
	if next := n.fixed[strings.ToLower(segments[0])]; next != nil {
		if routes, path := next.descend(segments[1:], vars); routes != nil {
			return routes, "/" + next.text + path
		}
	}
	if n.named == nil {
		return nil, ""
	}
	routes, path := n.named.descend(segments[1:], vars)
	if routes != nil {
		vars[n.name] = segments[0]
	}
	return routes, "/" + segments[0] + path
}

// methods lists what a path answers to, for 405.
func (m match) methods() string {
	var out []string
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPut, http.MethodPatch, http.MethodPost, http.MethodDelete} {
		if m.routes[method] != nil {
			out = append(out, method)
		}
	}
	return strings.Join(out, ", ")
}

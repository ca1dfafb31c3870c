package azure

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"loggia/api/azure/armid"
	"loggia/api/azure/fault"
	"loggia/api/azure/schema"
	"loggia/gallery"
)

// request is a request whose route is known.
type request struct {
	*http.Request
	match
	id      armid.ID
	w       http.ResponseWriter
	h       *handler
	version schema.Version
}

// resource is the canonical id at which rights are asked for: that of the path, of a list or an action that of its parent, of an
// extension its scope.
func (r *request) resource() string {
	if r.scope != "" {
		return r.scope
	}
	return r.id.Resource().String()
}

func (r *request) sub() gallery.SubscriptionID {
	return gallery.SubscriptionID(strings.ToLower(r.vars["sub"]))
}

func (r *request) group() gallery.GroupRef {
	return gallery.GroupRef{Subscription: r.sub(), Group: gallery.GroupName(r.vars["group"])}
}

// base is the origin under which the client reached us.
func (r *request) base() string { return r.h.o.Base(r.Request) }

// condition is what If-Match and If-None-Match ask for (RFC 9110, section 13.1).
type condition struct {
	given   bool
	matches []uint64 // If-Match lists; empty with given: any
	any     bool     // If-Match: *
	absent  bool     // If-None-Match: *
}

// maxETags bounds the entity tags of one header.
const maxETags = 16

func readCondition(h http.Header) (condition, error) {
	var c condition
	if v := strings.Join(h.Values("If-Match"), ","); v != "" {
		c.given = true
		if strings.TrimSpace(v) == "*" {
			c.any = true
			return c, nil
		}
		tags, err := parseETags(v)
		if err != nil {
			return c, err
		}
		c.matches = tags
	}
	switch v := strings.TrimSpace(strings.Join(h.Values("If-None-Match"), ",")); v {
	case "":
	case "*":
		c.given, c.absent = true, true
	default:
		return c, fault.At(fault.InvalidParameter, "If-None-Match", "Only * is supported in If-None-Match.")
	}
	return c, nil
}

// parseETags reads a list of entity tags. A tag that this cluster never gave is none: it matches nothing. Weak tags
// never match strongly, which If-Match asks for.
func parseETags(v string) ([]uint64, error) {
	tags := []uint64{}
	for part := range strings.SplitSeq(v, ",") {
		part = strings.TrimSpace(part)
		if len(tags) == maxETags {
			return nil, fault.At(fault.InvalidParameter, "If-Match", "At most %d entity tags are read.", maxETags)
		}
		quoted, weak := strings.CutPrefix(part, "W/")
		text, isQuoted := unquote(quoted)
		if !isQuoted && strings.ContainsAny(part, `" `) || part == "" {
			return nil, fault.At(fault.InvalidParameter, "If-Match", "An entity tag is a quoted text, as in \"12\".")
		}
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil || weak {
			n = 0
		}
		tags = append(tags, n)
	}
	return tags, nil
}

func unquote(s string) (string, bool) {
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' && !strings.Contains(s[1:len(s)-1], `"`) {
		return s[1 : len(s)-1], true
	}
	return s, false
}

// check holds the condition against the etag of a resource, 0 where it does not exist.
func (c condition) check(etag uint64) error {
	switch {
	case c.absent && etag != 0:
		return fault.New(fault.PreconditionFailed, "The resource exists already, and If-None-Match is *.")
	case c.any && etag == 0:
		return fault.New(fault.PreconditionFailed, "The resource does not exist, and If-Match is *.")
	case len(c.matches) > 0 && (etag == 0 || !slices.Contains(c.matches, etag)):
		return fault.New(fault.PreconditionFailed, "The resource's etag is not among those of If-Match: somebody else has written it.")
	}
	return nil
}

// conditional is the write of a request that is not merged: the condition holds against what there is, and what there is may not have changed
// when it is applied.
func (r *request) conditional(etag uint64) (Write, error) {
	c, err := readCondition(r.Header)
	if err == nil {
		err = c.check(etag)
	}
	if err != nil || !c.given {
		return Write{}, err
	}
	return Write{ETag: etag, Absent: etag == 0}, nil
}

// explain says of an error what this request makes of it: a resource that is not there gets Azure's sentence.
func (r *request) explain(err error) error {
	var f *fault.Fault
	if errors.As(err, &f) {
		return err
	}
	if errors.Is(err, gallery.ErrNotFound) && fieldOf(err) == "" {
		return r.notFound()
	}
	return err
}

// notFound is Azure's sentence for a resource that is not there.
func (r *request) notFound() *fault.Fault {
	kind, name := r.id.Type(), strings.Join(r.id.Names(), "/")
	if group, ok := r.vars["group"]; ok {
		return fault.New(fault.ResourceNotFound, "The Resource '%s/%s' under resource group '%s' was not found.", kind, name, group)
	}
	return fault.New(fault.ResourceNotFound, "The Resource '%s/%s' was not found.", kind, name)
}

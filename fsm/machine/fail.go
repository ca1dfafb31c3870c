package machine

import (
	"fmt"

	"loggia/fsm/command"
	"loggia/gallery"
)

func fail(kind gallery.Kind, resource, message string, args ...any) error {
	return &gallery.Error{Kind: kind, Resource: resource, Message: fmt.Sprintf(message, args...)}
}

func invalid(resource, field, rule string, args ...any) error {
	return &gallery.Error{Kind: gallery.ErrInvalid, Resource: resource, Field: field, Message: fmt.Sprintf(rule, args...)}
}

func notFound(what string, id any) error {
	return fail(gallery.ErrNotFound, fmt.Sprint(id), "no such %s", what)
}

// check compares a precondition with a resource: its etag, 0 where it does not exist.
func check(p command.Precondition, resource string, etag uint64) error {
	switch {
	case p.Absent && etag != 0:
		return fail(gallery.ErrPrecondition, resource, "it exists already")
	case p.Exists && etag == 0:
		return fail(gallery.ErrPrecondition, resource, "it does not exist")
	case p.ETag != 0 && p.ETag != etag:
		return fail(gallery.ErrPrecondition, resource, "its etag is another: somebody else has written it")
	}
	return nil
}

// named returns an error about a resource that came without one.
func named(err error, resource string) error {
	if e, ok := err.(*gallery.Error); ok && e.Resource == "" {
		c := *e
		c.Resource = resource
		return &c
	}
	return err
}

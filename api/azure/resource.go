package azure

import (
	"errors"
	"io"
	"net/http"

	"loggia/api/azure/fault"
	"loggia/api/azure/schema"
	"loggia/api/respond"
	"loggia/gallery"
)

// shown is a resource as the wire shows it.
type shown struct {
	tree      schema.Tree
	etag      uint64
	location  gallery.RegionName
	operation gallery.OperationID // the last one of a resource whose writes last; else ""
}

// kind is one kind of resource: how it is found, stored and removed. The rest (conditions, merging, operations,
// statuses) is the same for all, and stands below.
type kind struct {
	schema schema.Kind
	// parent checks that what the resource lies in is there; nil: nothing to check.
	parent func(r *request) error
	load   func(r *request) (shown, error)
	// store writes the merged tree; before is nil for a new resource.
	store  func(r *request, tree schema.Tree, before *shown, w Write) (shown, error)
	remove func(r *request, w Write) error
	// created is the status of a PUT that made the resource.
	created int
}

// maxBody bounds the body of a request, in bytes.
const maxBody = 256 << 10

// writeTries bounds how often a write without conditions is merged anew because another came between.
const writeTries = 8

func (k kind) get(r *request) (answer, error) {
	s, err := k.load(r)
	if err != nil {
		return answer{}, err
	}
	return ok(schema.Render(k.schema, r.version, s.tree)).tagged(s.etag), nil
}

// write is PUT and PATCH.
func (k kind) write(r *request) (answer, error) {
	cond, err := readCondition(r.Header)
	if err != nil {
		return answer{}, err
	}
	in, err := k.decode(r)
	if err != nil {
		return answer{}, err
	}
	if k.parent != nil {
		if err := k.parent(r); err != nil {
			return answer{}, err
		}
	}
	for try := 0; ; try++ {
		a, err := k.writeOnce(r, in, cond, try)
		if !cond.given && try+1 < writeTries && errors.Is(err, gallery.ErrPrecondition) {
			continue
		}
		return a, err
	}
}

func (k kind) decode(r *request) (schema.Tree, error) {
	body, err := io.ReadAll(respond.Body(r.w, r.Request, maxBody))
	if err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return nil, fault.New(fault.RequestTooLarge, "The body is larger than %d bytes.", maxBody)
		}
		return nil, fault.New(fault.InvalidRequestContent, "The body could not be read to its end.")
	}
	return schema.Decode(k.schema, r.version, body)
}

func (k kind) writeOnce(r *request, in schema.Tree, cond condition, try int) (answer, error) {
	before, err := k.load(r)
	exists := err == nil
	if err != nil && !errors.Is(err, gallery.ErrNotFound) {
		return answer{}, err
	}
	if err := cond.check(before.etag); err != nil {
		return answer{}, err
	}
	w := Write{ETag: before.etag, Absent: !exists, Try: try}
	if !exists {
		if r.Method == http.MethodPatch {
			return answer{}, r.notFound()
		}
		return k.create(r, in, w)
	}
	tree := schema.Merge(k.schema, r.version, before.tree, in, r.Method)
	if err := schema.CheckUpdate(k.schema, before.tree, tree); err != nil {
		return answer{}, err
	}
	w.Start = r.started(gallery.OperationUpdate, r.path, before.location)
	after, err := k.store(r, tree, &before, w)
	if err != nil {
		return answer{}, err
	}
	return k.written(r, http.StatusOK, after, w), nil
}

func (k kind) create(r *request, in schema.Tree, w Write) (answer, error) {
	if err := schema.CheckCreate(k.schema, r.version, in); err != nil {
		return answer{}, err
	}
	location, err := r.location(text(in, "location"))
	if err != nil {
		return answer{}, err
	}
	w.Start = r.started(gallery.OperationCreate, r.path, location)
	after, err := k.store(r, in, nil, w)
	if err != nil {
		return answer{}, err
	}
	return k.written(r, k.created, after, w), nil
}

func (k kind) written(r *request, status int, s shown, w Write) answer {
	a := answer{status: status, body: schema.Render(k.schema, r.version, s.tree)}.tagged(s.etag)
	return r.accepted(a, w.Start.ID, s.location)
}

// delete is DELETE: 204 for what is not there.
func (k kind) delete(r *request) (answer, error) {
	cond, err := readCondition(r.Header)
	if err != nil {
		return answer{}, err
	}
	s, err := k.load(r)
	if err != nil && !errors.Is(err, gallery.ErrNotFound) {
		return answer{}, err
	}
	if cerr := cond.check(s.etag); cerr != nil {
		return answer{}, cerr
	}
	if err != nil {
		return empty(http.StatusNoContent), nil
	}
	w := Write{Start: r.started(gallery.OperationDelete, r.path, s.location)}
	if cond.given {
		w.ETag = s.etag
	}
	if err := k.remove(r, w); err != nil {
		return answer{}, err
	}
	return r.accepted(empty(http.StatusAccepted), w.Start.ID, s.location), nil
}

// location finds the region that a body names, or says which there are.
func (r *request) location(name string) (gallery.RegionName, error) {
	if name == "" {
		return "", fault.At(fault.LocationRequired, "location", "The location property is required for this definition.")
	}
	all, err := r.h.o.Service.Regions(r.Context())
	if err != nil {
		return "", err
	}
	normal := gallery.NormalizeRegion(name)
	list := ""
	for _, region := range all {
		if region.Name == normal {
			return normal, nil
		}
		if list != "" {
			list += ","
		}
		list += string(region.Name)
	}
	return "", fault.At(fault.LocationNotAvailable, "location", "The provided location '%s' is not available. List of available regions is '%s'.", name, list)
}

// readOnly makes routes of a kind: GET.
func (k kind) reading(path, action string) []route {
	return []route{{method: http.MethodGet, path: path, action: action + "/read", do: k.get}}
}

// routes are GET, PUT, PATCH and DELETE of a kind; action is its type.
func (k kind) routes(path, action string) []route {
	return append(k.reading(path, action),
		route{method: http.MethodPut, path: path, action: action + "/write", write: true, do: k.write},
		route{method: http.MethodPatch, path: path, action: action + "/write", write: true, do: k.write},
		route{method: http.MethodDelete, path: path, action: action + "/delete", write: true, do: k.delete})
}

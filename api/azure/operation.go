package azure

import (
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"

	"loggia/api/azure/fault"
	"loggia/api/v1"
	"loggia/gallery"
)

// operationVersion is the api-version in the links to operations.
const operationVersion = "2025-12-03"

// operations is the space of names in which an operation's id follows from its request's.
var operations = uuid.MustParse("6f7b2c0e-0d0e-4e5a-9a52-0b0b6c1f7c11")

// started is the operation that a write begins. A request that is sent to a second leader, because the first one was lost, begins the same
// operation: its result may be that of the first.
func (r *request) started(kind gallery.OperationKind, resource string, location gallery.RegionName) *gallery.OperationStart {
	id := uuid.New()
	if given := r.Header.Get(v1.RequestIDHeader); given != "" {
		id = uuid.NewSHA1(operations, []byte(r.h.o.Identity(r.Context())+"/"+given))
	}
	return &gallery.OperationStart{ID: gallery.OperationID(id.String()), Subscription: r.sub(), Location: location, Kind: kind, Resource: resource}
}

// operationURL is where an operation is asked for; it is absolute, as clients demand.
func (r *request) operationURL(id gallery.OperationID, location gallery.RegionName) string {
	if location == "" {
		location = "global"
	}
	return r.base() + "/subscriptions/" + string(r.sub()) + "/providers/Microsoft.Compute/locations/" + string(location) + "/capsOperations/" + string(id) + "?api-version=" + operationVersion
}

// accepted adds the links of an operation to an answer. Polling each second is cheap while metadata is written; copies
// take longer, and clients that double their waits by Retry-After are told so by the operation itself.
func (r *request) accepted(a answer, id gallery.OperationID, location gallery.RegionName) answer {
	if id == "" {
		return a
	}
	link := r.operationURL(id, location)
	a = a.with("Azure-AsyncOperation", link).with("Retry-After", "1")
	if r.Method == http.MethodDelete || r.Method == http.MethodPost {
		a = a.with("Location", link+"&monitor=true")
	}
	return a
}

// operationBody is an operation as clients poll it.
type operationBody struct {
	ID       string           `json:"id"`
	Name     string           `json:"name"`
	Status   string           `json:"status"`
	Started  string           `json:"startTime"`
	Ended    string           `json:"endTime,omitempty"`
	Percent  float64          `json:"percentComplete"`
	Error    *fault.Fault     `json:"error,omitempty"`
	Resource string           `json:"resourceId,omitempty"`
	Details  string           `json:"details,omitempty"`
	Regions  []map[string]any `json:"regions,omitempty"` // ours: the replicas, as $expand=ReplicationStatus tells them
}

// getOperation answers for an operation, whichever node is asked. Who started it may see it, and who may read operations or its resource.
func (h *handler) getOperation(r *request) (answer, error) {
	op, err := h.o.Service.Operation(r.Context(), r.sub(), gallery.OperationID(r.vars["operation"]))
	if err != nil {
		return answer{}, fault.New(fault.NotFound, "The operation '%s' was not found.", r.vars["operation"])
	}
	if !h.o.Access.Is(r.Context(), op.Principal) {
		if err := h.o.Access.Check(r.Context(), "Microsoft.Compute/locations/capsOperations/read", "/subscriptions/"+string(r.sub())); err != nil {
			return answer{}, err
		}
	}
	if r.URL.Query().Get("monitor") == "true" {
		return r.monitor(op)
	}
	return ok(h.operationBody(r, op)).with("Retry-After", op.retryAfter(h.o.Now())), nil
}

func (h *handler) operationBody(r *request, op Operation) operationBody {
	b := operationBody{ID: r.path, Name: string(op.ID), Status: string(op.Status), Started: stamp(op.Started), Resource: op.Resource, Percent: 100}
	if op.Status == gallery.OperationInProgress {
		b.Percent, b.Details, b.Regions = float64(op.Percent()), op.Note, regionRows(op.Regions, nil, h.o.Now())
		return b
	}
	b.Ended = stamp(op.Ended)
	if op.Status == gallery.OperationFailed {
		b.Error = operationFault(op.Operation)
	}
	return b
}

// monitor is the Location form: 202 while it runs, then 200 or the failure.
func (r *request) monitor(op Operation) (answer, error) {
	switch op.Status {
	case gallery.OperationInProgress:
		return r.accepted(empty(http.StatusAccepted), op.ID, op.Location).with("Location", r.operationURL(op.ID, op.Location)+"&monitor=true").
			with("Retry-After", op.retryAfter(r.h.o.Now())), nil
	case gallery.OperationFailed:
		return answer{}, operationFault(op.Operation)
	}
	if len(op.Result) > 0 {
		return ok(jsonText(op.Result)), nil
	}
	return empty(http.StatusOK), nil
}

func operationFault(op gallery.Operation) *fault.Fault {
	f := &fault.Fault{Code: fault.Code(op.Code), Message: op.Message}
	if f.Code == "" {
		f.Code = fault.Conflict
	}
	for _, d := range op.Details {
		f.Details = append(f.Details, &fault.Fault{Code: fault.Code(d.Code), Message: d.Message, Target: d.Target})
	}
	return f
}

// retryAfter grows with the age of what is awaited: 1 s for metadata, up to 5 s for long copies.
func (o *Operation) retryAfter(now time.Time) string {
	switch age := now.Sub(o.Started); {
	case age < 20*time.Second:
		return "1"
	case age < 2*time.Minute:
		return "2"
	}
	return "5"
}

// stamp writes a time as Azure does, always with a zone.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.0000000+00:00") }

// percent of an operation is the mean of its regions.
func (o *Operation) Percent() int {
	if len(o.Regions) == 0 {
		return 0
	}
	sum := 0
	for _, s := range o.Regions {
		sum += s.Progress
	}
	return sum / len(o.Regions)
}

func seconds(d time.Duration) string { return strconv.Itoa(int(d.Round(time.Second) / time.Second)) }

package machine

import (
	"fmt"
	"slices"
	"strings"

	"loggia/fsm/command"
	"loggia/fsm/state"
	"loggia/gallery"
)

// begin prepares the operation that a header asks for. It has ended with the entry, unless a handler lets it wait.
func (e *entry) begin() error {
	s := e.Operation
	if s == nil {
		return nil
	}
	if err := s.Validate(); err != nil {
		return err
	}
	if e.View.Operation(s.ID) != nil {
		return fail(gallery.ErrConflict, string(s.ID), "an operation with this id exists already")
	}
	e.started = &gallery.Operation{ID: s.ID, Subscription: s.Subscription, Tenant: s.Tenant, Location: s.Location, Kind: s.Kind, Resource: s.Resource,
		Status: gallery.OperationSucceeded, Started: e.Now(), Ended: e.Now(), Principal: e.Principal}
	return nil
}

// keep puts the operation beside what the handler wrote, and looks whether it waits for something that is there already.
func (e *entry) keep() {
	o := e.started
	if o == nil {
		return
	}
	if o.Group != nil && e.Group(*o.Group) == nil {
		o.Succeed(e.Now())
	}
	state.Put(e.Tx, o)
	if o.Version != nil {
		if v := e.Version(*o.Version); v != nil {
			e.progress(v)
		}
	}
	if o.Snapshot != nil {
		if s := e.Snapshot(*o.Snapshot); s != nil && s.Disk != "" {
			e.progressOf(s.Disk)
		}
	}
}

// wait lets the operation of this entry wait, and returns its id; empty where there is none.
func (e *entry) wait() gallery.OperationID {
	if e.started == nil {
		return ""
	}
	o := e.started
	o.Status, o.Ended, o.Deadline = gallery.OperationInProgress, zeroTime, e.Now().Add(gallery.OperationLife)
	return o.ID
}

func (e *entry) operationID() gallery.OperationID {
	if e.started == nil {
		return ""
	}
	return e.started.ID
}

func (e *entry) waitForVersion(v *gallery.ImageVersion) gallery.OperationID {
	id := e.wait()
	if id != "" {
		ref := v.Ref
		e.started.Version = &ref
		for _, t := range v.Publishing.TargetRegions {
			e.started.Targets = append(e.started.Targets, t.Region)
		}
	}
	return id
}

func (e *entry) waitForSnapshot(s *gallery.Snapshot) gallery.OperationID {
	id := e.wait()
	if id != "" {
		ref := s.Ref
		e.started.Snapshot, e.started.Targets = &ref, []gallery.RegionName{s.Location}
	}
	return id
}

func (e *entry) waitForGroup(ref gallery.GroupRef) gallery.OperationID {
	id := e.wait()
	if id != "" {
		e.started.Group = &ref
	}
	return id
}

// end changes copies of open operations and puts them in place.
func (e *entry) end(open []*gallery.Operation, how func(*gallery.Operation)) {
	for _, o := range open {
		row := *o
		how(&row)
		state.Put(e.Tx, &row)
	}
}

func (e *entry) succeed(open []*gallery.Operation) {
	e.end(open, func(o *gallery.Operation) { o.Succeed(e.Now()) })
}

// gone ends the operations of a resource that was deleted.
func (e *entry) gone(open []*gallery.Operation) {
	e.end(open, func(o *gallery.Operation) {
		o.Fail(e.Now(), gallery.CodeResourceDeleted, "the resource was deleted before the operation was done")
	})
}

// endGroup ends the operations that waited for a group to go.
func (e *entry) endGroup(ref gallery.GroupRef) { e.succeed(e.OperationsOfGroup(ref)) }

// progressOf looks at what waits for the copies of a disk: open operations of its versions, and snapshots that are being made.
// Whatever changes replicas comes here.
func (e *entry) progressOf(disk gallery.DiskID) {
	for _, v := range e.VersionsOfDisk(disk) {
		e.progress(v)
	}
	for _, s := range e.SnapshotsOfDisk(disk) {
		e.settleSnapshot(s)
	}
}

// progress ends the open operations of a version that has become what they waited for, or cannot become it by waiting.
func (e *entry) progress(v *gallery.ImageVersion) {
	open := e.OperationsOfVersion(v.Ref)
	if len(open) == 0 {
		return
	}
	if v.ImportFailed() {
		e.end(open, func(o *gallery.Operation) { failImport(e, o, v) })
		return
	}
	if v.Importing() {
		return
	}
	regions := e.VersionStatus(v)
	switch {
	case gallery.Aggregate(regions) == gallery.AggregatedCompleted:
		e.succeed(open)
	case hopeless(regions):
		message, details := undone(regions)
		e.end(open, func(o *gallery.Operation) { o.Fail(e.Now(), gallery.CodeReplicationJobs, message, details...) })
	}
}

func failImport(e *entry, o *gallery.Operation, v *gallery.ImageVersion) {
	for i := range v.Imports {
		if m := &v.Imports[i]; m.Failed() {
			o.Fail(e.Now(), gallery.CodeImportFailed, importText(&m.Import),
				gallery.OperationDetail{Code: string(m.Reason), Message: m.Message, Target: v.Ref.DiskField(m.LUN)})
			return
		}
	}
}

func importText(i *gallery.Import) string {
	text := "the source could not be imported: " + string(i.Reason)
	if i.Message != "" {
		text += ": " + i.Message
	}
	return text
}

// hopeless says whether every region that is not done has failed with something that waiting does not cure.
func hopeless(regions []gallery.RegionStatus) bool {
	failed := 0
	for _, r := range regions {
		switch {
		case r.State == gallery.ReplicaCompleted:
		case r.State == gallery.ReplicaFailed && slices.ContainsFunc(r.Replicas, incurable):
			failed++
		default:
			return false
		}
	}
	return failed > 0
}

func incurable(r gallery.Replica) bool {
	return r.State == gallery.ReplicaFailed && !r.Reason.Curable()
}

// undone names the regions that are not done, with what is known of each.
func undone(regions []gallery.RegionStatus) (string, []gallery.OperationDetail) {
	var names []string
	var details []gallery.OperationDetail
	for _, r := range regions {
		if r.State == gallery.ReplicaCompleted {
			continue
		}
		names = append(names, string(r.Region))
		details = append(details, regionDetail(r))
	}
	return "replication has not completed in " + strings.Join(names, ", "), details
}

func regionDetail(r gallery.RegionStatus) gallery.OperationDetail {
	d := gallery.OperationDetail{Code: string(r.State), Target: string(r.Region), Message: fmt.Sprintf("%d %% copied", r.Progress)}
	if i := slices.IndexFunc(r.Replicas, func(x gallery.Replica) bool { return x.Paused != nil }); i >= 0 {
		p := r.Replicas[i].Paused
		d.Code, d.Message = "Paused", d.Message+", paused since "+p.Since.Format("2006-01-02T15:04:05Z")+" by "+p.By
		return d
	}
	worst := slices.IndexFunc(r.Replicas, incurable)
	if worst < 0 {
		worst = slices.IndexFunc(r.Replicas, func(x gallery.Replica) bool { return x.Reason != "" })
	}
	if worst < 0 {
		return d
	}
	x := r.Replicas[worst]
	d.Code, d.Message = string(x.Reason), string(x.Reason)
	if x.LastError != "" {
		d.Message += ": " + x.LastError
	}
	return d
}

func expireOperations(e *entry, _ *command.ExpireOperations) (*command.Expired, error) {
	out := &command.Expired{}
	due := e.OperationsDue(e.Now(), command.MaxExpired+1)
	old := e.OperationsEnded(e.Now().Add(-gallery.OperationHistory), command.MaxExpired+1-min(len(due), command.MaxExpired))
	out.More = len(due)+len(old) > command.MaxExpired
	for _, o := range due[:min(len(due), command.MaxExpired)] {
		row := *o
		e.timeOut(&row)
		state.Put(e.Tx, &row)
		out.Count++
	}
	for _, o := range old[:min(len(old), command.MaxExpired-out.Count)] {
		state.Delete(e.Tx, o)
		out.Count++
	}
	return out, nil
}

// timeOut ends an operation whose time is over and says what it still waited for.
func (e *entry) timeOut(o *gallery.Operation) {
	if o.Version != nil {
		if v := e.Version(*o.Version); v != nil && len(v.Imports) == 0 {
			message, details := undone(e.VersionStatus(v))
			o.Fail(e.Now(), gallery.CodeReplicationJobs, message, details...)
			return
		}
	}
	what := "its bytes are not here"
	if o.Group != nil {
		what = "the resource group is not empty"
	}
	o.Fail(e.Now(), gallery.CodeTimedOut, fmt.Sprintf("after %s %s", gallery.OperationLife, what))
}

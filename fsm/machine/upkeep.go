package machine

import (
	"loggia/fsm/command"
	"loggia/fsm/state"
	"loggia/gallery"
)

func expireClaims(e *entry, _ *command.ExpireClaims) (*command.Expired, error) {
	out := &command.Expired{}
	for _, r := range e.ClaimedReplicas() {
		if e.Now().Before(r.Claim.Deadline) {
			continue
		}
		if out.Count == command.MaxExpired {
			out.More = true
			break
		}
		e.unclaim(r, "the claim of node "+string(r.Claim.Node)+" expired")
		out.Count++
	}
	for _, r := range e.ClaimedRepositories() {
		if !e.Now().Before(r.Claim.Deadline) {
			e.stopCollecting(r)
			out.Count++
		}
	}
	return out, nil
}

func expireUploads(e *entry, _ *command.ExpireUploads) (*command.Expired, error) {
	due := e.UploadsBefore(e.Now(), command.MaxExpired+1)
	out := &command.Expired{More: len(due) > command.MaxExpired}
	for _, u := range due[:min(len(due), command.MaxExpired)] {
		switch u.State {
		case gallery.UploadOpen:
			e.abandon(u)
		case gallery.UploadCompleted:
			if !e.Referred(u.Disk) {
				e.release(u.Disk)
			}
		}
		state.Delete(e.Tx, u)
		out.Count++
	}
	return out, nil
}

func pruneRequests(e *entry, _ *command.PruneRequests) (*command.Expired, error) {
	due := e.RequestsBefore(e.Now().Add(-RequestLife), command.MaxExpired+1)
	out := &command.Expired{More: len(due) > command.MaxExpired}
	for _, q := range due[:min(len(due), command.MaxExpired)] {
		state.Delete(e.Tx, q)
		out.Count++
	}
	return out, nil
}

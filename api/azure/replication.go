package azure

import (
	"fmt"
	"strings"
	"time"

	"loggia/gallery"
)

// replicationStatus is what $expand=ReplicationStatus shows: a row for each target region, with its replicas as text in details and as an
// extension of ours.
func replicationStatus(v Version, notes map[gallery.ReplicaKey]string, now time.Time) map[string]any {
	return map[string]any{"aggregatedState": string(gallery.Aggregate(v.Regions)), "summary": anys(regionRows(v.Regions, notes, now))}
}

// regionRows describes regions. notes say of replicas what their workers do right now; nil: what the log knows is said.
func regionRows(regions []gallery.RegionStatus, notes map[gallery.ReplicaKey]string, now time.Time) []map[string]any {
	out := make([]map[string]any, 0, len(regions))
	for _, s := range regions {
		row := map[string]any{"region": string(s.Region), "state": string(s.State), "progress": s.Progress, "details": detailsOf(s, notes, now)}
		var replicas []any
		for _, rep := range s.Replicas {
			replicas = append(replicas, replicaRow(rep, now))
		}
		if len(replicas) > 0 {
			row["replicas"] = replicas
		}
		out = append(out, row)
	}
	return out
}

func replicaRow(rep gallery.Replica, now time.Time) map[string]any {
	row := map[string]any{"slot": rep.Key.Slot, "state": string(rep.State), "bytesTotal": rep.Progress.Total, "bytesDone": rep.Progress.Have + rep.Progress.Sent}
	if rep.State == gallery.ReplicaCompleted {
		row["bytesDone"] = rep.Progress.Total
	}
	if rep.Source != "" {
		row["source"] = rep.Source
	}
	if rep.Reason != "" {
		row["reason"], row["lastError"] = string(rep.Reason), rep.LastError
	}
	if rep.Paused != nil {
		row["pausedSince"], row["pausedBy"] = stamp(rep.Paused.Since), rep.Paused.By
	}
	if rep.NextRetry.After(now) {
		row["nextRetry"] = stamp(rep.NextRetry)
	}
	return row
}

// detailsOf is a region's state in a sentence.
func detailsOf(s gallery.RegionStatus, notes map[gallery.ReplicaKey]string, now time.Time) string {
	var parts []string
	done := 0
	for _, rep := range s.Replicas {
		switch {
		case rep.Whole():
			done++
		case notes[rep.Key] != "":
			parts = append(parts, fmt.Sprintf("replica %d: %s", rep.Key.Slot, notes[rep.Key]))
		case rep.Paused != nil:
			parts = append(parts, fmt.Sprintf("replica %d: paused since %s by %s", rep.Key.Slot, stamp(rep.Paused.Since), rep.Paused.By))
		case rep.State == gallery.ReplicaFailed:
			text := fmt.Sprintf("replica %d failed: %s", rep.Key.Slot, rep.Reason)
			if rep.LastError != "" {
				text += ": " + rep.LastError
			}
			if rep.NextRetry.After(now) {
				text += ", next try in " + seconds(rep.NextRetry.Sub(now)) + " s"
			}
			parts = append(parts, text)
		case rep.State == gallery.ReplicaReplicating:
			parts = append(parts, fmt.Sprintf("replica %d: %d of %d bytes", rep.Key.Slot, rep.Progress.Have+rep.Progress.Sent, rep.Progress.Total))
		default:
			parts = append(parts, fmt.Sprintf("replica %d waits for a node of the region", rep.Key.Slot))
		}
	}
	if s.State == gallery.ReplicaCompleted {
		return ""
	}
	return strings.Join(append([]string{fmt.Sprintf("%d of %d replicas are whole", done, len(s.Replicas))}, parts...), "; ")
}

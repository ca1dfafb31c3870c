package main

import (
	"fmt"
	"strings"

	"loggia/api/v1"
)

// collectionText says when a region's garbage was collected last, what that freed, and what runs now.
func collectionText(c *v1.RegionCollection) string {
	if c == nil {
		return ""
	}
	var out []string
	if !c.Ended.IsZero() {
		out = append(out, "last "+when(c.Ended), size(c.Freed)+" freed")
	}
	if c.Waiting > 0 {
		out = append(out, size(c.Waiting)+" condemned, until the grace time is over")
	}
	if len(c.Stopped) > 0 {
		out = append(out, "STOPPED without a delete: "+strings.Join(c.Stopped, "; "))
	}
	if len(c.Running) > 0 {
		out = append(out, "runs at "+strings.Join(c.Running, ", "))
	}
	return strings.Join(out, ", ")
}

// checkText says how a region's own checks stand.
func checkText(c *v1.RegionCheck) string {
	if c == nil {
		return ""
	}
	var out []string
	if !c.Ended.IsZero() {
		out = append(out, "last "+when(c.Ended), findings(c))
		if c.Repaired > 0 {
			out = append(out, fmt.Sprintf("%d copies made whole again", c.Repaired))
		}
		if c.Whole.IsZero() {
			out = append(out, fmt.Sprintf("first round at %.0f%%", c.Percent))
		} else {
			out = append(out, fmt.Sprintf("everything read by %s, next round at %.0f%%", when(c.Whole), c.Percent))
		}
	}
	if c.Failed > 0 {
		out = append(out, fmt.Sprintf("%d repositories FAILED", c.Failed))
	}
	if c.Message != "" {
		out = append(out, c.Message)
	}
	if len(c.Running) > 0 {
		out = append(out, "runs at "+strings.Join(c.Running, ", "))
	}
	return strings.Join(out, ", ")
}

func findings(c *v1.RegionCheck) string {
	var out []string
	for _, f := range []struct {
		n    int64
		what string
	}{{c.Lost, "lost"}, {c.Damaged, "damaged"}, {c.Unindexed, "unindexed"}, {c.Unknown, "unknown"}} {
		if f.n > 0 {
			out = append(out, fmt.Sprintf("%d %s", f.n, f.what))
		}
	}
	if len(out) == 0 {
		return "nothing lost or damaged"
	}
	return "FOUND " + strings.Join(out, ", ")
}

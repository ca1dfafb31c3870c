package gallery

import "slices"

// RegionStatus sums up a version in one of its target regions.
type RegionStatus struct {
	Region   RegionName
	State    ReplicaState // Unknown, Replicating, Completed, Failed
	Progress int          // percent; 100 only when Completed
	// Present says whether the region holds a whole copy of every disk: it can be pulled and
	// booted there, also while further replicas are being made.
	Present  bool
	Reason   Reason // of a replica that failed
	Replicas []Replica
}

// AggregatedState sums up a version over its target regions.
type AggregatedState string

// The aggregated states.
const (
	AggregatedUnknown    AggregatedState = "Unknown"
	AggregatedInProgress AggregatedState = "InProgress"
	AggregatedCompleted  AggregatedState = "Completed"
	AggregatedFailed     AggregatedState = "Failed"
)

// Status sums up v in each target region, in the order of its targets. replicas are the
// rows of v's disks, of any region; rows that v does not want (another version shares the disk)
// are passed over.
func (v *ImageVersion) Status(replicas []Replica) []RegionStatus {
	targets := v.Publishing.Targets()
	out := make([]RegionStatus, 0, len(targets))
	for _, t := range targets {
		out = append(out, v.regionStatus(t, replicas))
	}
	return out
}

func (v *ImageVersion) regionStatus(t TargetRegion, replicas []Replica) RegionStatus {
	s := RegionStatus{Region: t.Region}
	slots := SlotNumbers(t.StorageClass, t.ReplicaCount)
	first, n := slots[0], len(slots)
	whole := make(map[DiskID]bool, len(v.Disks))
	for _, r := range replicas {
		if r.Key.Region != t.Region || !v.hasDisk(r.Key.Disk) {
			continue
		}
		if r.Whole() {
			whole[r.Key.Disk] = true
		}
		if r.Key.Slot >= first && r.Key.Slot < first+n {
			s.Replicas = append(s.Replicas, r)
		}
	}
	s.Present = len(v.Disks) > 0 && len(v.Imports) == 0
	for _, d := range v.Disks {
		s.Present = s.Present && whole[d.Disk]
	}
	if len(v.Imports) > 0 {
		s.State = ReplicaUnknown
		return s
	}
	s.sum(v.diskCount() * n)
	return s
}

// Aggregated sums up v over its regions. While a disk is being imported it is InProgress, though no region knows of it.
func (v *ImageVersion) Aggregated(regions []RegionStatus) AggregatedState {
	switch {
	case v.ImportFailed():
		return AggregatedFailed
	case v.Importing():
		return AggregatedInProgress
	}
	return Aggregate(regions)
}

// sum sets State, Progress and Reason from the rows, of which there should be want.
func (s *RegionStatus) sum(want int) {
	var done, moving, failed, percent int
	for _, r := range s.Replicas {
		switch r.State {
		case ReplicaCompleted, ReplicaRetiring:
			done++
			percent += 100
			continue
		case ReplicaReplicating:
			moving++
		case ReplicaFailed:
			failed++
			if s.Reason == "" {
				s.Reason = r.Reason
			}
		}
		percent += r.Progress.Percent()
	}
	switch {
	case want > 0 && done >= want:
		s.State, s.Progress = ReplicaCompleted, 100
		return
	case failed > 0 && done+failed >= want:
		s.State = ReplicaFailed
	case moving+done+failed > 0:
		s.State = ReplicaReplicating
	default:
		s.State = ReplicaUnknown
	}
	if want > 0 {
		s.Progress = min(percent/want, 99)
	}
}

// Percent returns how much of the copy is there, 0 to 99: only a state says that it is whole.
func (p Progress) Percent() int {
	have := min(max(p.Have, 0), 1<<56) + min(max(p.Sent, 0), 1<<56)
	if p.Total <= 0 || have <= 0 {
		return 0
	}
	if have >= p.Total {
		return 99
	}
	if p.Total < 1<<40 {
		return int(have * 100 / p.Total)
	}
	return int(min(have/(p.Total/100), 99))
}

func (v *ImageVersion) hasDisk(d DiskID) bool {
	return slices.ContainsFunc(v.Disks, func(x VersionDisk) bool { return x.Disk == d })
}

// diskCount counts different disks: two LUNs may share one.
func (v *ImageVersion) diskCount() int {
	n := 0
	for i, d := range v.Disks {
		if !slices.ContainsFunc(v.Disks[:i], func(x VersionDisk) bool { return x.Disk == d.Disk }) {
			n++
		}
	}
	return n
}

// Aggregate sums up the regions: anything under way or not begun gives InProgress, else anything
// failed gives Failed, else Completed; no regions, or nothing known of any, gives Unknown.
func Aggregate(regions []RegionStatus) AggregatedState {
	var unknown, failed, done int
	for _, r := range regions {
		switch r.State {
		case ReplicaReplicating:
			return AggregatedInProgress
		case ReplicaFailed:
			failed++
		case ReplicaCompleted:
			done++
		default:
			unknown++
		}
	}
	switch {
	case unknown == len(regions):
		return AggregatedUnknown
	case unknown > 0:
		return AggregatedInProgress
	case failed > 0:
		return AggregatedFailed
	}
	return AggregatedCompleted
}

package gallery

// Candidate is a version as `latest` sees it.
type Candidate struct {
	Version *ImageVersion
	Regions []RegionStatus // of Version.Status
}

// InLatest says whether `latest` may resolve to v in region r: r is a target, holds a whole copy of
// every disk and does not exclude it. Azure also asks for provisioningState Succeeded; here a region counts by what it
// holds, so that neither a region that failed elsewhere nor a replica being added takes a version away.
func InLatest(v *ImageVersion, regions []RegionStatus, r RegionName) bool {
	if v.Publishing.ExcludedFromLatest(r) {
		return false
	}
	for _, s := range regions {
		if s.Region == r {
			return s.Present
		}
	}
	return false
}

// Latest returns the highest version by number that InLatest admits in region r, or nil.
func Latest(r RegionName, of []Candidate) *ImageVersion {
	var best *ImageVersion
	for _, c := range of {
		if (best == nil || best.Ref.Version.Compare(c.Version.Ref.Version) < 0) && InLatest(c.Version, c.Regions, r) {
			best = c.Version
		}
	}
	return best
}

// NoLatest is the error where nothing is eligible.
func NoLatest(image ImageRef, r RegionName) *Error {
	return &Error{Kind: ErrNotFound, Op: "resolve latest", Resource: image.String(),
		Message: "no latest version exists for the image definition in region " + string(r)}
}

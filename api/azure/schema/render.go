package schema

// Render is what is answered of a tree: a copy in which the members that clients crash without are there.
func Render(k Kind, _ Version, t Tree) Tree {
	out, _ := clone(t).(Tree)
	p, _ := out["properties"].(Tree)
	if p == nil {
		return out
	}
	switch k {
	case Gallery:
		if p["softDeletePolicy"] == nil {
			p["softDeletePolicy"] = Tree{"isSoftDeleteEnabled": false}
		}
	case ImageVersion, ApplicationVersion:
		if p["safetyProfile"] == nil {
			p["safetyProfile"] = Tree{"allowDeletionOfReplicatedLocations": false}
		}
	}
	return out
}

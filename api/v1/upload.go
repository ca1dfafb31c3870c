package v1

import "time"

// UploadRequest opens an upload of one disk into the region of the node that is asked.
type UploadRequest struct {
	ID   string   `json:"id"`             // UUID chosen by the client; the same request twice opens once
	Size int64    `json:"size"`           // guest bytes
	Kind string   `json:"kind,omitempty"` // disk (a multiple of 512, default) or blob
	Base []string `json:"base,omitempty"` // versions g/i/v or g/i/v/lun that the client may read and whose chunks it will not send
	// Target is the Azure id of what the disk is for: an image version, an application version or a snapshot. The right
	// to write that is needed. Empty: something in the default group, and the right to write there.
	Target string `json:"target,omitempty"`
}

// Upload is a publish under way.
type Upload struct {
	ID      string    `json:"id"`
	Region  string    `json:"region"`
	Node    string    `json:"node"`
	State   string    `json:"state"` // Open, Completed, Abandoned
	Size    int64     `json:"size"`
	Epoch   uint64    `json:"epoch"`
	Expires time.Time `json:"expires,omitzero"`
	Stored  int64     `json:"bytesDurable"`   // stored bytes that no restart sends again
	Disk    string    `json:"disk,omitempty"` // once Completed
	Root    string    `json:"root,omitempty"`
}

// UploadCommit ends an upload. The node refuses it unless the root is what it computes itself.
type UploadCommit struct {
	Root   string `json:"root"`
	SHA256 string `json:"sha256,omitempty"` // flat digest of the disk, kept as given
}

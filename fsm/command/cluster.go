package command

import "loggia/gallery"

func clusterDefs() []Def {
	return append([]Def{
		def[ClusterInit, *ClusterInit, gallery.Cluster](KindClusterInit, "cluster.init"),
		def[ClusterSetVersion, *ClusterSetVersion, noValue](KindClusterSetVersion, "cluster.setVersion"),
		def[ClusterSetGeneration, *ClusterSetGeneration, noValue](KindClusterSetGeneration, "cluster.setGeneration"),
	}, from(3, def[ClusterSetCollection, *ClusterSetCollection, noValue](KindClusterSetCollection, "cluster.setCollection"))...)
}

// ClusterInit founds the cluster, once (ErrConflict after). Its result is the *gallery.Cluster.
type ClusterInit struct {
	Cluster gallery.Cluster `cbor:"1,keyasint"` // Created is set by the machine; Version 0 means 1
}

// ClusterSetVersion raises what every member understands; it never goes down.
type ClusterSetVersion struct {
	Version uint32 `cbor:"1,keyasint"`
}

// ClusterSetGeneration follows a recovery (C8); it only grows. From cluster version 3 on it turns collection off.
type ClusterSetGeneration struct {
	Generation uint64 `cbor:"1,keyasint"`
}

// ClusterSetCollection turns the collection of garbage on or off, in all regions.
type ClusterSetCollection struct {
	Off bool `cbor:"1,keyasint,omitempty"`
}

func (*ClusterSetCollection) Kind() Kind { return KindClusterSetCollection }

// Check implements Command.
func (*ClusterSetCollection) Check() error { return nil }

func (*ClusterInit) Kind() Kind          { return KindClusterInit }
func (*ClusterSetVersion) Kind() Kind    { return KindClusterSetVersion }
func (*ClusterSetGeneration) Kind() Kind { return KindClusterSetGeneration }

// Check implements Command.
func (c *ClusterInit) Check() error { return c.Cluster.Validate() }

// Check implements Command.
func (c *ClusterSetVersion) Check() error { return positive("version", uint64(c.Version)) }

// Check implements Command.
func (c *ClusterSetGeneration) Check() error { return positive("generation", c.Generation) }

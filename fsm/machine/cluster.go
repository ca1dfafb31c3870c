package machine

import (
	"loggia/fsm/command"
	"loggia/fsm/state"
	"loggia/gallery"
)

func clusterInit(e *entry, c *command.ClusterInit) (*gallery.Cluster, error) {
	if e.Cluster() != nil {
		return nil, fail(gallery.ErrConflict, string(c.Cluster.ID), "the cluster is founded already")
	}
	row := c.Cluster
	row.Created = e.Now()
	row.Version = max(row.Version, 1)
	row.Bootstrapped, row.CollectionOff = zeroTime, false
	state.Put(e.Tx, &row)
	if row.Version >= 2 {
		e.introduce(&row)
	}
	return &row, nil
}

func clusterSetVersion(e *entry, c *command.ClusterSetVersion) (*none, error) {
	return nil, e.changeCluster(func(row *gallery.Cluster) error {
		if c.Version < row.Version {
			return invalid("", "version", "it is %d and never goes down", row.Version)
		}
		if row.Version < 2 && c.Version >= 2 {
			e.introduce(row)
		}
		row.Version = c.Version
		return nil
	})
}

func clusterSetGeneration(e *entry, c *command.ClusterSetGeneration) (*none, error) {
	return nil, e.changeCluster(func(row *gallery.Cluster) error {
		if c.Generation <= row.Generation {
			return invalid("", "generation", "it is %d and only grows", row.Generation)
		}
		row.Generation = c.Generation
		row.CollectionOff = row.CollectionOff || e.knows(3)
		return nil
	})
}

func clusterSetCollection(e *entry, c *command.ClusterSetCollection) (*none, error) {
	return nil, e.changeCluster(func(row *gallery.Cluster) error {
		row.CollectionOff = c.Off
		return nil
	})
}

func (e *entry) changeCluster(change func(*gallery.Cluster) error) error {
	old := e.Cluster()
	if old == nil {
		return notFound("cluster", "")
	}
	row := *old
	if err := change(&row); err != nil {
		return err
	}
	state.Put(e.Tx, &row)
	return nil
}

// Package clusterlab runs a cluster of real region daemons, each a process of its own, for demonstrations and for faults.
package clusterlab

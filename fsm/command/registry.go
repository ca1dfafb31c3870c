package command

import (
	"cmp"
	"maps"
	"reflect"
	"slices"
)

// Def describes a kind.
type Def struct {
	Kind    Kind
	Name    string // family.verb
	Version uint16 // newest version of the body that this binary writes and reads
	Since   uint32 // cluster version from which it may be proposed (M4); fields that came later say so themselves

	grew   []uint32 // cluster versions at which the body grew
	body   func() Command
	result func() any // nil: no value
}

// defs is filled by constant expressions only and never changes.
var defs = join(clusterDefs(), regionDefs(), storeDefs(), nodeDefs(), tokenDefs(), galleryDefs(),
	imageDefs(), versionDefs(), uploadDefs(), replicaDefs(), repositoryDefs(), upkeepDefs(),
	tenancyDefs(), principalDefs(), roleDefs(), issuerDefs(), operationDefs(), snapshotDefs(), steeringDefs(), distanceDefs())

func join(families ...[]Def) map[Kind]Def {
	all := make(map[Kind]Def)
	for _, f := range families {
		for _, d := range f {
			if _, twice := all[d.Kind]; twice {
				panic("two command kinds share a number: " + d.Name)
			}
			all[d.Kind] = d
		}
	}
	return all
}

// Defs lists every kind ever released, by number.
func Defs() []Def {
	return slices.SortedFunc(maps.Values(defs), func(a, b Def) int { return cmp.Compare(a.Kind, b.Kind) })
}

// Lookup returns the description of a kind.
func Lookup(k Kind) (Def, bool) {
	d, ok := defs[k]
	return d, ok
}

// String returns the kind's name.
func (k Kind) String() string {
	if d, ok := defs[k]; ok {
		return d.Name
	}
	return "unknown"
}

// Allowed says whether every member of a cluster of this version understands kind k. No proposer sends
// one that is not allowed; Needs counts in the fields of one command, too.
func Allowed(k Kind, clusterVersion uint32) bool {
	d, ok := defs[k]
	return ok && d.Since <= clusterVersion
}

// CurrentVersion is the cluster version that this binary understands in full. A new cluster begins with it.
//
//	1  the kinds 10 to 122
//	2  tenancy, groups, identity, roles, operations, snapshots, applications and imports
//	3  limits, pauses and priorities of transfers; the collector's claim
//	4  distances between regions; checks that regions make of themselves
//	5  repairs that leave the last whole copy
const CurrentVersion = 5

// def describes a kind with a body of type B and a result of type R; noValue stands for none.
func def[B any, P interface {
	*B
	Command
}, R any](k Kind, name string) Def {
	d := Def{Kind: k, Name: name, Version: 1, Since: 1, body: func() Command { return P(new(B)) }}
	d.grew = growth(reflect.TypeFor[B]())
	d.Version += uint16(len(d.grew))
	if _, none := any(new(R)).(*noValue); !none {
		d.result = func() any { return new(R) }
	}
	return d
}

// from gives the kinds of a family the cluster version that they came with: what their bodies held then is their first version.
func from(version uint32, defs ...Def) []Def {
	for i := range defs {
		d := &defs[i]
		d.Since = version
		d.grew = slices.DeleteFunc(d.grew, func(n uint32) bool { return n <= version })
		d.Version = uint16(1 + len(d.grew))
	}
	return defs
}

type noValue struct{}

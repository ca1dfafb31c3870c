package gallery

import (
	"cmp"
	"slices"
)

// Slot is the place of one replica: a number in the region and the store that holds it.
type Slot struct {
	Number int
	Store  StoreID
}

// Slot numbers of the storage classes are disjoint, so that a disk wanted in two classes in one
// region has copies in both. Replica r (from 1) of a class has the number
//
//	Standard_LRS  r               1..100
//	Premium_LRS   100 + r         101..200
//	Standard_ZRS  200 + 3(r-1)+z  201..500, z = 1..3, one for each zone
const (
	premiumSlots = MaxReplicas
	zonalSlots   = 2 * MaxReplicas
	// ZonesPerReplica is the number of zones that a zone-redundant replica lies in.
	ZonesPerReplica = 3
	// MaxSlot is the largest slot number.
	MaxSlot = zonalSlots + ZonesPerReplica*MaxReplicas
)

// ClassOfSlot returns the storage class that a slot number belongs to; empty if it is none.
func ClassOfSlot(n int) StorageClass {
	switch {
	case n < 1 || n > MaxSlot:
		return ""
	case n <= premiumSlots:
		return StandardLRS
	case n <= zonalSlots:
		return PremiumLRS
	}
	return StandardZRS
}

// FirstSlot returns the slot in which an upload into a store of class c lands.
func FirstSlot(c StoreClass) int {
	if c == ClassPremium {
		return premiumSlots + 1
	}
	return 1
}

// SlotNumbers returns the slot numbers, ascending, of count replicas of a class.
func SlotNumbers(c StorageClass, count int) []int {
	first, n := 1, count
	switch c {
	case PremiumLRS:
		first = premiumSlots + 1
	case StandardZRS:
		first, n = zonalSlots+1, ZonesPerReplica*count
	}
	out := make([]int, 0, max(n, 0))
	for i := range n {
		out = append(out, first+i)
	}
	return out
}

// Slots gives each replica that t (with its defaults filled in) wants a place in its region,
// ascending by number. Of stores only those of t's region and class count. A slot found in kept stays
// where it is while its store is among them. New slots go to the zone, then the store, that
// holds the fewest, ties broken by name; the zones of a zone-redundant replica differ.
// The error is an *Error of kind ErrInvalid that says what the region lacks.
func Slots(t TargetRegion, stores []Store, kept ...Slot) ([]Slot, error) {
	if t.ReplicaCount < 1 || t.ReplicaCount > MaxReplicas {
		return nil, invalid("regionalReplicaCount", "1 to %d", MaxReplicas)
	}
	p, err := newPlacement(t, stores)
	if err != nil {
		return nil, err
	}
	numbers := SlotNumbers(t.StorageClass, t.ReplicaCount)
	p.keep(numbers, kept)
	out := make([]Slot, 0, len(numbers))
	for _, n := range numbers {
		out = append(out, Slot{n, p.place(n)})
	}
	return out, nil
}

// placement spreads slots over the stores of one region and class.
type placement struct {
	zonal  bool
	stores []Store // by zone, name, id
	at     map[int]int
	load   []int          // slots by store
	zone   map[string]int // slots by zone
}

func newPlacement(t TargetRegion, stores []Store) (*placement, error) {
	class := ClassStandard
	if t.StorageClass == PremiumLRS {
		class = ClassPremium
	}
	p := &placement{zonal: t.StorageClass == StandardZRS, at: map[int]int{}, zone: map[string]int{}}
	for _, s := range stores {
		if s.Region == t.Region && s.Class == class {
			p.stores = append(p.stores, s)
			p.zone[s.Zone] = 0
		}
	}
	if len(p.stores) == 0 {
		return nil, invalid("storageAccountType", "region %q has no %s store, which %s needs", t.Region, class, t.StorageClass)
	}
	if p.zonal && len(p.zone) < ZonesPerReplica {
		return nil, invalid("storageAccountType", "%s needs %s stores in at least %d zones, region %q has %d",
			t.StorageClass, class, ZonesPerReplica, t.Region, len(p.zone))
	}
	slices.SortFunc(p.stores, func(a, b Store) int {
		return cmp.Or(cmp.Compare(a.Zone, b.Zone), cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	})
	p.load = make([]int, len(p.stores))
	return p, nil
}

// keep places those of the numbers that have a place already and may stay there.
func (p *placement) keep(numbers []int, kept []Slot) {
	for _, k := range kept {
		i := slices.IndexFunc(p.stores, func(s Store) bool { return s.ID == k.Store })
		if _, twice := p.at[k.Number]; i >= 0 && !twice && slices.Contains(numbers, k.Number) && !p.taken(k.Number, p.stores[i].Zone) {
			p.put(k.Number, i)
		}
	}
}

func (p *placement) put(n, i int) {
	p.at[n] = i
	p.load[i]++
	p.zone[p.stores[i].Zone]++
}

// taken says whether another slot of the same zone-redundant replica lies in zone.
func (p *placement) taken(n int, zone string) bool {
	if !p.zonal {
		return false
	}
	first := n - (n-zonalSlots-1)%ZonesPerReplica
	for s := first; s < first+ZonesPerReplica; s++ {
		if i, ok := p.at[s]; ok && s != n && p.stores[i].Zone == zone {
			return true
		}
	}
	return false
}

func (p *placement) place(n int) StoreID {
	i, ok := p.at[n]
	if !ok {
		i = p.best(n)
		p.put(n, i)
	}
	return p.stores[i].ID
}

func (p *placement) best(n int) int {
	best := -1
	for i, s := range p.stores {
		if p.taken(n, s.Zone) {
			continue
		}
		if best < 0 || cmp.Or(cmp.Compare(p.zone[s.Zone], p.zone[p.stores[best].Zone]), cmp.Compare(p.load[i], p.load[best])) < 0 {
			best = i
		}
	}
	return best
}

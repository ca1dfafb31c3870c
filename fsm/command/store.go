package command

import (
	"encoding/json"

	"loggia/gallery"
)

func storeDefs() []Def {
	return []Def{
		def[StorePut, *StorePut, gallery.Store](KindStorePut, "store.put"),
		def[StoreSetState, *StoreSetState, noValue](KindStoreSetState, "store.setState"),
		def[StoreRemove, *StoreRemove, RegionRemoved](KindStoreRemove, "store.remove"),
	}
}

// StorePut adds a store to its region or changes it; region, zone, class and kind never change
// (ErrImmutable). Replicas that waited for a store get their place. Its result is the *gallery.Store.
type StorePut struct {
	Store gallery.Store `cbor:"1,keyasint"`
}

// StoreSetState tells how a store is.
type StoreSetState struct {
	ID        gallery.StoreID    `cbor:"1,keyasint"`
	State     gallery.StoreState `cbor:"2,keyasint"`
	Reason    string             `cbor:"3,keyasint,omitempty"`
	Capacity  gallery.Capacity   `cbor:"4,keyasint,omitzero"`
	Abilities []byte             `cbor:"5,keyasint,omitempty"` // absent: kept
}

// StoreRemove removes a store. It is refused (ErrInUse) while a replica or an open upload lies there. Lost
// overrides that: what lay there is wanted anew in other stores of the region. Its result is *RegionRemoved.
type StoreRemove struct {
	ID   gallery.StoreID `cbor:"1,keyasint"`
	Lost bool            `cbor:"2,keyasint,omitempty"`
}

func (*StorePut) Kind() Kind      { return KindStorePut }
func (*StoreSetState) Kind() Kind { return KindStoreSetState }
func (*StoreRemove) Kind() Kind   { return KindStoreRemove }

// Check implements Command.
func (c *StorePut) Check() error { return c.Store.Validate() }

// Check implements Command.
func (c *StoreSetState) Check() error {
	if !c.State.Valid() {
		return invalid("state", "ok, full, unavailable or forbidden")
	}
	if len(c.Reason) > gallery.MaxLastError {
		return invalid("reason", "at most %d bytes", gallery.MaxLastError)
	}
	if len(c.Abilities) > gallery.MaxAbilities || len(c.Abilities) > 0 && !json.Valid(c.Abilities) {
		return invalid("abilities", "JSON of at most %d bytes", gallery.MaxAbilities)
	}
	return first(checkID("id", c.ID), checkBytes("capacity.total", c.Capacity.Total), checkBytes("capacity.free", c.Capacity.Free))
}

// Check implements Command.
func (c *StoreRemove) Check() error { return checkID("id", c.ID) }

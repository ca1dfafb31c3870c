// Package repository keeps the packs of one domain and one replica slot in one store.
//
// Keys and small objects are described in docs/formats/repository.md. Readers rely on the live segments
// that their caller names (from the log) and writers on those and their own; nothing is concluded from a
// listing but that a successor may adopt what it finds. Keys that a collector has condemned are left
// out of the live segments by whoever names them, and of Adopt by its skip function.
package repository

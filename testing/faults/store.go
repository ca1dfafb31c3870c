// Package faults makes object stores that fail by rule.
package faults

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"loggia/blobstore"
)

// Op names a call of blobstore.Store.
type Op string

// The calls. Any stands for all of them.
const (
	Any      Op = ""
	Put      Op = "put"
	Get      Op = "get"
	Stat     Op = "stat"
	List     Op = "list"
	Delete   Op = "delete"
	Capacity Op = "capacity"
	Copy     Op = "copy"
)

// Rule says which calls fail, and how. The conditions are joined by "and"; so are the faults.
type Rule struct {
	Op     Op
	Prefix string // of the key; of the prefix for List
	From   int    // the first matching call that fails, counted from 1; 0 means 1
	Count  int    // how many fail from there on; 0 means all

	Delay time.Duration // before anything else; ends with the context
	// Err is answered in place of a result. With Late the call takes effect first: the answer is lost.
	Err  error
	Late bool

	// For Get: the body ends after Keep bytes with Err, or with blobstore.ErrDamaged where Err is nil.
	Short bool
	Keep  int64
	// For Get and Put: the byte at Flip (from 0, counted in what is read or written) is inverted.
	Damage bool
	Flip   int64
	// For List: Err comes after this many objects.
	After int
}

// Store passes calls on to a store, except where a rule says otherwise. The first rule that
// matches a call decides it. It is a Copier if the store below is.
type Store struct {
	next blobstore.Store

	mu    sync.Mutex
	rules []*counted
	calls map[Op]int
}

// counted is a rule and how many calls matched its conditions.
type counted struct {
	Rule
	matched int
}

// New returns a store with some rules.
func New(next blobstore.Store, rules ...Rule) *Store {
	s := &Store{next: next, calls: map[Op]int{}}
	s.Add(rules...)
	return s
}

// Unwrap returns the store below.
func (s *Store) Unwrap() blobstore.Store { return s.next }

// Add adds rules behind those that are there.
func (s *Store) Add(rules ...Rule) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range rules {
		s.rules = append(s.rules, &counted{Rule: r})
	}
}

// Heal drops all rules.
func (s *Store) Heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rules = nil
}

// Calls says how often op was called, whatever came of it. Any counts all.
func (s *Store) Calls(op Op) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if op != Any {
		return s.calls[op]
	}
	n := 0
	for _, c := range s.calls {
		n += c
	}
	return n
}

// rule returns the rule for this call, or one without faults, after its delay.
func (s *Store) rule(ctx context.Context, op Op, key string) (Rule, error) {
	r := s.match(op, key)
	if r.Delay > 0 {
		timer := time.NewTimer(r.Delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return r, fmt.Errorf("%s %s: %w", op, key, ctx.Err())
		}
	}
	return r, nil
}

func (s *Store) match(op Op, key string) Rule {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls[op]++
	for _, r := range s.rules {
		if r.Op != Any && r.Op != op || !strings.HasPrefix(key, r.Prefix) {
			continue
		}
		r.matched++
		from := max(1, r.From)
		if r.matched >= from && (r.Count == 0 || r.matched < from+r.Count) {
			return r.Rule
		}
	}
	return Rule{}
}

// do runs a call that has nothing but an error to answer with.
func (s *Store) do(ctx context.Context, op Op, key string, call func(Rule) error) error {
	r, err := s.rule(ctx, op, key)
	if err != nil {
		return err
	}
	if r.Err != nil && !r.Late {
		return fmt.Errorf("%s %s: %w", op, key, r.Err)
	}
	if err := call(r); err != nil || r.Err == nil {
		return err
	}
	return fmt.Errorf("%s %s: %w", op, key, r.Err)
}

// Put implements blobstore.Store.
func (s *Store) Put(ctx context.Context, key string, data []byte) error {
	return s.do(ctx, Put, key, func(r Rule) error {
		if r.Damage && r.Flip < int64(len(data)) {
			data = append([]byte(nil), data...)
			data[r.Flip] ^= 0xff
		}
		return s.next.Put(ctx, key, data)
	})
}

// Get implements blobstore.Store.
func (s *Store) Get(ctx context.Context, key string, off, n int64) (io.ReadCloser, error) {
	r, err := s.rule(ctx, Get, key)
	if err != nil {
		return nil, err
	}
	if r.Err != nil && !r.Short {
		return nil, fmt.Errorf("get %s: %w", key, r.Err)
	}
	body, err := s.next.Get(ctx, key, off, n)
	if err != nil || !r.Short && !r.Damage {
		return body, err
	}
	return &broken{rule: r, next: body}, nil
}

// Stat implements blobstore.Store.
func (s *Store) Stat(ctx context.Context, key string) (info blobstore.Info, err error) {
	err = s.do(ctx, Stat, key, func(Rule) error {
		info, err = s.next.Stat(ctx, key)
		return err
	})
	return info, err
}

// List implements blobstore.Store.
func (s *Store) List(ctx context.Context, prefix, after string, fn func(blobstore.Info) error) error {
	r, err := s.rule(ctx, List, prefix)
	if err != nil {
		return err
	}
	if r.Err == nil {
		return s.next.List(ctx, prefix, after, fn)
	}
	cut := fmt.Errorf("list %s: %w", prefix, r.Err)
	seen := 0
	err = s.next.List(ctx, prefix, after, func(i blobstore.Info) error {
		if seen == r.After {
			return cut
		}
		seen++
		return fn(i)
	})
	if err == nil {
		return cut
	}
	return err
}

// Delete implements blobstore.Store.
func (s *Store) Delete(ctx context.Context, key string) error {
	return s.do(ctx, Delete, key, func(Rule) error { return s.next.Delete(ctx, key) })
}

// Capacity implements blobstore.Store.
func (s *Store) Capacity(ctx context.Context) (c blobstore.Capacity, err error) {
	err = s.do(ctx, Capacity, "", func(Rule) error {
		c, err = s.next.Capacity(ctx)
		return err
	})
	return c, err
}

// Copy implements blobstore.Copier, with ErrUnsupported where the store below does not.
func (s *Store) Copy(ctx context.Context, from, to string) error {
	return s.do(ctx, Copy, to, func(Rule) error { return blobstore.Copy(ctx, s.next, from, to) })
}

// broken is a body that ends early or has a wrong byte.
type broken struct {
	rule Rule
	next io.ReadCloser
	at   int64 // bytes read so far
}

func (b *broken) Read(p []byte) (int, error) {
	if b.rule.Short {
		left := b.rule.Keep - b.at
		if left <= 0 {
			return 0, b.end()
		}
		p = p[:min(int64(len(p)), left)]
	}
	n, err := b.next.Read(p)
	if i := b.rule.Flip - b.at; b.rule.Damage && i >= 0 && i < int64(n) {
		p[i] ^= 0xff
	}
	b.at += int64(n)
	return n, err
}

func (b *broken) end() error {
	if b.rule.Err != nil {
		return b.rule.Err
	}
	return fmt.Errorf("%w: the body ended after %d bytes", blobstore.ErrDamaged, b.at)
}

func (b *broken) Close() error { return b.next.Close() }

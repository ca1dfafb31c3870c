package consensus

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
)

// faulty is a store whose writes fail or hang by rule.
type faulty struct {
	*raft.InmemStore
	err   error
	hang  chan struct{}
	wrote int
}

func (f *faulty) StoreLogs(logs []*raft.Log) error {
	f.wrote++
	if f.hang != nil {
		<-f.hang
	}
	if f.err != nil {
		return f.err
	}
	return f.InmemStore.StoreLogs(logs)
}

func (f *faulty) SetUint64(key []byte, v uint64) error {
	if f.err != nil {
		return f.err
	}
	return f.InmemStore.SetUint64(key, v)
}

func (f *faulty) DeleteRange(from, to uint64) error {
	if f.err != nil {
		return f.err
	}
	return f.InmemStore.DeleteRange(from, to)
}

// fatals collects what a node would end with.
type fatals struct {
	mu   sync.Mutex
	errs []error
}

func (f *fatals) add(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.errs = append(f.errs, err)
}

func (f *fatals) expect(t *testing.T, want error) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.errs) != 1 || !errors.Is(f.errs[0], want) {
		t.Errorf("fatal %v, want %v once", f.errs, want)
	}
	f.errs = nil
}

func (f *fatals) none(t *testing.T) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.errs) > 0 {
		t.Errorf("fatal: %v", f.errs)
	}
}

func newChecked() (*checked, *faulty, *fatals) {
	f, end := &faulty{InmemStore: raft.NewInmemStore()}, &fatals{}
	return &checked{logs: f, stable: f, fatal: end.add, hang: hangTime}, f, end
}

func entry(i uint64) *raft.Log {
	return &raft.Log{Index: i, Term: 1, Type: raft.LogCommand, Data: fmt.Appendf(nil, "entry %d", i)}
}

func entries(from, to uint64) (out []*raft.Log) {
	for i := from; i <= to; i++ {
		out = append(out, entry(i))
	}
	return out
}

func TestLogRoundTrip(t *testing.T) {
	c, _, end := newChecked()
	if err := c.StoreLogs(entries(1, 3)); err != nil {
		t.Fatal(err)
	}
	with := entry(4)
	with.Extensions = []byte("ext")
	if err := c.StoreLog(with); err != nil || string(with.Extensions) != "ext" {
		t.Fatalf("StoreLog: %v; the caller's entry has extensions %q", err, with.Extensions)
	}
	var l raft.Log
	if err := c.GetLog(4, &l); err != nil || string(l.Data) != "entry 4" || string(l.Extensions) != "ext" {
		t.Errorf("GetLog = %+v, %v", l, err)
	}
	if err := c.GetLog(9, &l); !errors.Is(err, raft.ErrLogNotFound) {
		t.Errorf("an entry that is not there: %v", err)
	}
	// A follower's conflicting end is cut off and written anew.
	if err := c.DeleteRange(3, 4); err != nil {
		t.Fatal(err)
	}
	if err := c.StoreLogs(entries(3, 5)); err != nil {
		t.Fatal(err)
	}
	end.none(t)
}

func TestDamagedEntryIsFatal(t *testing.T) {
	for name, damage := range map[string]func(*raft.Log){
		"data":        func(l *raft.Log) { l.Data[3] ^= 1 },
		"term":        func(l *raft.Log) { l.Term++ },
		"type":        func(l *raft.Log) { l.Type = raft.LogNoop },
		"index":       func(l *raft.Log) { l.Index++ },
		"checksum":    func(l *raft.Log) { l.Extensions[0] ^= 1 },
		"no checksum": func(l *raft.Log) { l.Extensions = nil },
	} {
		c, f, end := newChecked()
		if err := c.StoreLogs(entries(1, 3)); err != nil {
			t.Fatal(err)
		}
		var l raft.Log
		if err := f.GetLog(2, &l); err != nil {
			t.Fatal(err)
		}
		damage(&l)
		if err := f.DeleteRange(2, 2); err != nil {
			t.Fatal(err)
		}
		l2 := l
		if name == "index" { // an entry under another's key
			c.logs = moved{f, &l2}
		} else if err := f.InmemStore.StoreLog(&l2); err != nil {
			t.Fatal(err)
		}
		if err := c.GetLog(2, &raft.Log{}); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
		end.expect(t, ErrDamaged)
	}
}

// moved gives one entry whatever it is asked for.
type moved struct {
	raft.LogStore
	l *raft.Log
}

func (m moved) GetLog(_ uint64, l *raft.Log) error {
	*l = *m.l
	return nil
}

func TestGapIsFatal(t *testing.T) {
	for name, logs := range map[string][]*raft.Log{
		"after the end": entries(5, 5),
		"inside":        {entry(4), entry(6)},
		"backwards":     {entry(4), entry(3)},
	} {
		c, _, end := newChecked()
		if err := c.StoreLogs(entries(1, 3)); err != nil {
			t.Fatal(err)
		}
		if err := c.StoreLogs(logs); !errors.Is(err, ErrGap) {
			t.Errorf("%s: %v", name, err)
		}
		end.expect(t, ErrGap)
	}
}

// TestFailedWriteIsFatal holds C1: the node ends, and nothing is written after the failure.
func TestFailedWriteIsFatal(t *testing.T) {
	for name, write := range map[string]func(*checked) error{
		"entries": func(c *checked) error { return c.StoreLogs(entries(1, 1)) },
		"vote":    func(c *checked) error { return c.SetUint64([]byte("k"), 1) },
		"delete":  func(c *checked) error { return c.DeleteRange(1, 1) },
	} {
		c, f, end := newChecked()
		f.err = errTest
		if err := write(c); !errors.Is(err, errTest) {
			t.Errorf("%s: %v", name, err)
		}
		end.expect(t, errTest)
		f.err = nil
		before := f.wrote
		if err := c.StoreLogs(entries(1, 1)); !errors.Is(err, errTest) || f.wrote != before {
			t.Errorf("%s: a write after the failure gave %v", name, err)
		}
	}
}

// TestChecksumIsGolden holds C7: the next release reads the log of this one. The checksum is
// CRC-32C of index, term (big endian), type and data.
func TestChecksumIsGolden(t *testing.T) {
	c, f, end := newChecked()
	if err := c.StoreLogs(entries(1, 1)); err != nil {
		t.Fatal(err)
	}
	var l raft.Log
	if err := f.GetLog(1, &l); err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprintf("%x", l.Extensions), "382f13ec"; got != want {
		t.Errorf("entry 1 is kept with %s, want %s", got, want)
	}
	end.none(t)
}

// TestHungWriteIsFatal holds C3.
func TestHungWriteIsFatal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, f, end := newChecked()
		f.hang = make(chan struct{})
		done := make(chan error)
		go func() { done <- c.StoreLogs(entries(1, 1)) }()
		time.Sleep(hangTime - time.Millisecond)
		synctest.Wait()
		end.none(t)
		time.Sleep(time.Millisecond)
		synctest.Wait()
		end.expect(t, ErrHung)
		close(f.hang)
		<-done
	})
}

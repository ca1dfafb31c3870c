package consensus

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"loggia/testing/simnet"
)

// ledger is a machine that remembers what was applied where.
type ledger struct {
	mu      sync.Mutex
	entries map[uint64]string
	index   uint64
	term    uint64
}

func newLedger() *ledger { return &ledger{entries: map[uint64]string{}} }

func (m *ledger) Apply(index, term uint64, data []byte) any {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.entries[index], m.index, m.term = string(data), index, term
	return len(m.entries)
}

func (m *ledger) Applied() (uint64, uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.index, m.term
}

func (m *ledger) all() map[uint64]string {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := map[uint64]string{}
	for i, v := range m.entries {
		out[i] = v
	}
	return out
}

type page struct {
	Entries     map[uint64]string
	Index, Term uint64
}

func (m *ledger) Snapshot() (Snapshot, error) {
	i, t := m.Applied()
	return page{m.all(), i, t}, nil
}

func (p page) Write(w io.Writer) error { return json.NewEncoder(w).Encode(p) }
func (p page) Release()                {}

func (m *ledger) Restore(r io.Reader) error {
	var p page
	if err := json.NewDecoder(r).Decode(&p); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.entries, m.index, m.term = p.Entries, p.Index, p.Term
	return nil
}

// member is one node on the simulated network, with a door where others ask for its term.
type member struct {
	*Node
	id    string
	host  *simnet.Host
	m     *ledger
	dir   string // empty: in memory
	doors []net.Listener
	conns sync.WaitGroup
}

// lab is a cluster in virtual time. It must live in a synctest bubble.
type lab struct {
	t     *testing.T
	seed  uint64
	net   *simnet.Network
	all   []*member
	names []string
}

const rtt = 100 * time.Millisecond

// newLab starts a cluster of voters in memory and waits until it takes writes.
func newLab(t *testing.T, seed uint64, voters int) *lab { return newLabIn(t, "", seed, voters) }

// newLabIn is newLab on disk, below dir.
func newLabIn(t *testing.T, dir string, seed uint64, voters int) *lab {
	t.Helper()
	l := &lab{t: t, seed: seed, net: simnet.New(seed, rtt)}
	t.Cleanup(l.close)
	for i := range voters {
		id := string(rune('a' + i))
		sub := ""
		if dir != "" {
			sub = filepath.Join(dir, id)
		}
		l.add(id, sub)
	}
	first := l.all[0]
	if err := first.Bootstrap(); err != nil {
		t.Fatal(err)
	}
	l.write("first")
	for _, m := range l.all[1:] {
		if err := first.AddVoter(t.Context(), m.id, m.id+":raft"); err != nil {
			t.Fatal(err)
		}
	}
	l.settle()
	return l
}

// add starts a node that is in no configuration yet.
func (l *lab) add(id, dir string) *member {
	l.t.Helper()
	m := &member{id: id, host: l.net.Host(id), dir: dir}
	l.start(m)
	l.all, l.names = append(l.all, m), append(l.names, id)
	return m
}

// start starts a node with what its directory holds, and an empty machine.
func (l *lab) start(m *member) {
	l.t.Helper()
	m.m = newLedger()
	in := l.listen(m, "raft")
	dial := func(ctx context.Context, addr, _ string) (net.Conn, error) { return m.host.Dial(ctx, addr) }
	var err error
	m.Node, err = Open(l.t.Context(), Options{NodeID: m.id, Address: m.id + ":raft", Dir: m.dir, RTT: rtt, Machine: m.m, Logger: discard,
		Transport: StreamTransport(in, dial), OnFatal: func(err error) { l.t.Errorf("seed %d: node %s: fatal: %v", l.seed, m.id, err) },
		Addresses: func(id string) (string, bool) { return id + ":raft", true }})
	if err != nil {
		l.t.Fatal(err)
	}
	door := l.listen(m, "term")
	m.conns.Go(func() { m.serveTerms(door) })
}

// end ends a node.
func (m *member) end(t *testing.T) {
	t.Helper()
	if err := m.Close(context.Background()); err != nil {
		t.Errorf("close %s: %v", m.id, err)
	}
	for _, d := range m.doors {
		d.Close()
	}
	m.doors = nil
	m.conns.Wait()
}

func (l *lab) listen(m *member, port string) net.Listener {
	l.t.Helper()
	ln, err := m.host.Listen(port)
	if err != nil {
		l.t.Fatal(err)
	}
	m.doors = append(m.doors, ln)
	return ln
}

func (m *member) serveTerms(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		m.conns.Go(func() {
			defer c.Close()
			if _, err := io.ReadFull(c, make([]byte, 1)); err == nil {
				_ = binary.Write(c, binary.BigEndian, m.CurrentTerm())
			}
		})
	}
}

// ask asks another node for its term.
func (m *member) ask(ctx context.Context, id string) (term uint64, err error) {
	c, err := m.host.Dial(ctx, id+":term")
	if err != nil {
		return 0, err
	}
	defer context.AfterFunc(ctx, func() { c.Close() })()
	defer c.Close()
	if _, err := c.Write([]byte{1}); err != nil {
		return 0, err
	}
	err = binary.Read(c, binary.BigEndian, &term)
	return term, err
}

// close ends all nodes at once, as a test that is over does.
func (l *lab) close() {
	l.net.HealAll()
	var work sync.WaitGroup
	for _, m := range l.all {
		work.Go(func() { m.end(l.t) })
	}
	work.Wait()
}

// leader returns the node that leads in the highest term, or nil.
func (l *lab) leader(but ...*member) (best *member) {
	for _, m := range l.all {
		if !slices.Contains(but, m) && m.IsLeader() && (best == nil || m.CurrentTerm() > best.CurrentTerm()) {
			best = m
		}
	}
	return best
}

// pause lets virtual time pass.
func pause(d time.Duration) { <-time.After(d) }

// until polls a condition, for at most a virtual minute.
func (l *lab) until(what string, ok func() bool) {
	l.t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); pause(5 * time.Millisecond) {
		if time.Now().After(end) {
			l.t.Fatalf("seed %d: %s did not come", l.seed, what)
		}
	}
}

// write writes through whoever leads, but for those that are left out, until it succeeds. The
// command may be applied more than once.
func (l *lab) write(data string, but ...*member) (index uint64) {
	l.t.Helper()
	l.until("a write", func() bool {
		m := l.leader(but...)
		if m == nil {
			return false
		}
		ctx, cancel := context.WithTimeout(l.t.Context(), 2*time.Second)
		defer cancel()
		_, i, err := m.Propose(ctx, []byte(data))
		index = i
		return err == nil
	})
	return index
}

// settle waits until all nodes have applied the same, and have spare connections as in a node.
func (l *lab) settle() {
	l.t.Helper()
	i := l.write("settle")
	l.until("the end of the log everywhere", func() bool {
		for _, m := range l.all {
			if at, _ := m.m.Applied(); at < i {
				return false
			}
		}
		return true
	})
	var work sync.WaitGroup
	for _, m := range l.all {
		work.Go(func() {
			if err := m.Warm(l.t.Context()); err != nil {
				l.t.Errorf("warm %s: %v", m.id, err)
			}
		})
	}
	work.Wait()
}

// equal holds all machines against each other.
func (l *lab) equal() {
	l.t.Helper()
	l.settle()
	want := l.all[0].m.all()
	for _, m := range l.all[1:] {
		got := m.m.all()
		if fmt.Sprint(got) != fmt.Sprint(want) {
			l.t.Errorf("seed %d: node %s has %v, node %s has %v", l.seed, m.id, got, l.all[0].id, want)
		}
	}
}

// seeds returns the seeds of a test: what LOGGIA_SEED says, or new ones, which are printed.
func seeds(t *testing.T, n int) []uint64 {
	t.Helper()
	if s := os.Getenv("LOGGIA_SEED"); s != "" {
		one, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatalf("LOGGIA_SEED: %v", err)
		}
		return []uint64{one}
	}
	base := rand.Uint64N(1 << 32)
	t.Logf("seeds %d to %d", base, base+uint64(n)-1)
	out := make([]uint64, n)
	for i := range out {
		out[i] = base + uint64(i)
	}
	return out
}

var errTest = errors.New("test")

var discard = slog.New(slog.DiscardHandler)

// nowhere is a transport that does not come to be.
func nowhere(Options) (raft.Transport, io.Closer, error) { return nil, nil, errTest }

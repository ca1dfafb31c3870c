package sts

import (
	"crypto/sha256"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// The bounds of failed logins. A client at an address has few, an address has more: one who tries many clients. No
// address can lock a client out for others.
const (
	window      = 5 * time.Minute
	perClient   = 10 // failures of one client from one address in a window
	perAddress  = 100
	maxFailures = 8 << 10 // keys that are remembered
)

// throttle counts failed logins.
type throttle struct {
	now func() time.Time

	mu    sync.Mutex
	rows  map[[32]byte]*failures
	swept time.Time
}

type failures struct {
	count int
	until time.Time
}

func newThrottle(now func() time.Time) *throttle {
	return &throttle{now: now, rows: map[[32]byte]*failures{}}
}

// address is what counts as one place: an IPv4 address, or the /64 of an IPv6 one.
func address(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	a, err := netip.ParseAddr(host)
	if err != nil {
		return host
	}
	if a = a.Unmap().WithZone(""); a.Is6() {
		p, _ := a.Prefix(64) // 64 bits are there
		return p.String()
	}
	return a.String()
}

// keys are what one login counts under.
func keys(client, place string) (both, alone [32]byte) {
	return sha256.Sum256([]byte("c\x00" + client + "\x00" + place)), sha256.Sum256([]byte("a\x00" + place))
}

// wait says for how long nothing is tried for the client from there; 0: go on.
func (t *throttle) wait(client, place string) time.Duration {
	both, alone := keys(client, place)
	t.mu.Lock()
	defer t.mu.Unlock()
	return max(t.left(both, perClient), t.left(alone, perAddress))
}

func (t *throttle) left(key [32]byte, limit int) time.Duration {
	f := t.rows[key]
	if f == nil || f.count < limit {
		return 0
	}
	return max(0, f.until.Sub(t.now()))
}

// failed counts a failure.
func (t *throttle) failed(client, place string) {
	both, alone := keys(client, place)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.count(both)
	t.count(alone)
}

func (t *throttle) count(key [32]byte) {
	now := t.now()
	f := t.rows[key]
	if f == nil || !now.Before(f.until) {
		t.room(now)
		t.rows[key] = &failures{1, now.Add(window)}
		return
	}
	f.count++
}

// room makes room for a row: what has passed goes, and where that is nothing any row: the table is bounded, and an
// attacker with that many addresses is not stopped by counting.
func (t *throttle) room(now time.Time) {
	if len(t.rows) < maxFailures {
		return
	}
	if now.Sub(t.swept) >= time.Second {
		t.swept = now
		for k, f := range t.rows {
			if !now.Before(f.until) {
				delete(t.rows, k)
			}
		}
	}
	for k := range t.rows {
		if len(t.rows) < maxFailures {
			return
		}
		delete(t.rows, k)
	}
}

// passed forgets the failures of a client from there.
func (t *throttle) passed(client, place string) {
	both, _ := keys(client, place)
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.rows, both)
}

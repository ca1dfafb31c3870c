package debug

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestOnlyThisMachineMayLookIn(t *testing.T) {
	for address, good := range map[string]bool{
		"unix:/run/loggia.sock": true, "127.0.0.1:6060": true, "[::1]:6060": true,
		"unix:relative": false, "0.0.0.0:6060": false, ":6060": false, "192.0.2.1:6060": false, "localhost:6060": false, "": false,
	} {
		if err := Check(address); (err == nil) != good {
			t.Errorf("Check(%q) = %v, want good %v", address, err, good)
		}
	}
}

func TestSocketIsTheOwnersAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "debug.sock")
	for range 2 { // what an earlier process left is replaced
		d, err := Open(t.Context(), "unix:"+path)
		if err != nil {
			t.Fatal(err)
		}
		st, err := os.Stat(path)
		if err != nil || st.Mode().Perm() != 0o600 {
			t.Fatalf("mode %v, %v, want 0600", st.Mode(), err)
		}
		if text := ask(t, path, "/debug/pprof/block?debug=1"); !strings.Contains(text, "cycles/second") {
			t.Fatalf("got %q, want a block profile", text)
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// ask gets a page through a socket.
func ask(t *testing.T, socket, page string) string {
	t.Helper()
	tr := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}
	defer tr.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://node"+page, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := tr.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

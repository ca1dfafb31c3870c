package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func none(string) (string, bool) { return "", false }

func write(t *testing.T, text string) string {
	t.Helper()
	p := filepath.Join(t.TempDir(), "loggia.yaml")
	if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestFlagsOverEnvironmentOverFile(t *testing.T) {
	file := write(t, "data: /d\nregion: west\nlisten: 127.0.0.1:1\ncluster: {rtt: 20ms}\nmemory: {buffers: 48MiB}\n")
	env := func(k string) (string, bool) {
		v, ok := map[string]string{"LOGGIA_SERVER_REGION": "east", "LOGGIA_SERVER_LISTEN": "127.0.0.1:2"}[k]
		return v, ok
	}
	o, err := Load(file, env, map[string]string{"listen": "127.0.0.1:3"})
	if err != nil {
		t.Fatal(err)
	}
	if o.Listen != "127.0.0.1:3" || o.Region != "east" || o.Data != "/d" || o.Cluster.RTT != 20*time.Millisecond || o.Memory.Buffers != 48<<20 {
		t.Fatalf("got %+v", o)
	}
	if o.Advertise != o.Listen {
		t.Fatalf("advertise = %q, want the listen address", o.Advertise)
	}
}

func TestUnknownKeyIsRefused(t *testing.T) {
	_, err := Load(write(t, "data: /d\nregion: west\nregoin: x\n"), none, nil)
	if err == nil || !strings.Contains(err.Error(), "regoin") {
		t.Fatalf("error %v, want one that names the key", err)
	}
}

func TestValidateReportsEveryFault(t *testing.T) {
	_, err := Load(write(t, "region: West\nlisten: nowhere\ndebug: {listen: '0.0.0.0:6060'}\nstores:\n- {name: a, kind: tape}\n- {name: a, kind: filesystem, path: rel}\n- {name: b, kind: s3, links: some}\n"), none, nil)
	if err == nil {
		t.Fatal("no error")
	}
	for _, field := range []string{"data:", "region:", "listen:", "debug.listen:", "stores[0].kind:", "stores[1].name:", "stores[1].path:", "stores[2].links:", "stores[2].s3.endpoint:", "stores[2].s3.bucket:"} {
		if !strings.Contains(err.Error(), field) {
			t.Errorf("error does not name %s\n%v", field, err)
		}
	}
}

func TestParseBytes(t *testing.T) {
	for in, want := range map[string]Bytes{"64MiB": 64 << 20, "1.5GB": 1_500_000_000, "4096": 4096, "2 KiB": 2048, "0": 0} {
		if got, err := ParseBytes(in); err != nil || got != want {
			t.Errorf("ParseBytes(%q) = %d, %v, want %d", in, got, err, want)
		}
	}
	for _, in := range []string{"", "MiB", "-1", "1XB", "1e30GiB", "NaN"} {
		if got, err := ParseBytes(in); err == nil {
			t.Errorf("ParseBytes(%q) = %d, want an error", in, got)
		}
	}
}

package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"loggia/api/v1"
	"loggia/internal/digest"
	"loggia/transfer/chunk"
	"loggia/transfer/manifest"
	"loggia/transfer/wire"
)

// routes is every route of package v1, and some that are not there.
var routes = []string{
	"GET /metrics", "GET /v1/status", "GET /v1/events", "GET /v1/regions", "GET /v1/regions/a", "DELETE /v1/regions/a",
	"GET /v1/members", "DELETE /v1/members/x", "POST /v1/join-tokens", "GET /v1/tokens", "POST /v1/tokens", "DELETE /v1/tokens/x",
	"GET /v1/raft/peers", "POST /v1/raft/transfer", "POST /v1/raft/promote", "GET /v1/galleries", "GET /v1/galleries/g",
	"PUT /v1/galleries/g", "DELETE /v1/galleries/g", "GET /v1/galleries/g/images", "GET /v1/galleries/g/images/i",
	"PUT /v1/galleries/g/images/i", "DELETE /v1/galleries/g/images/i", "GET /v1/galleries/g/images/i/versions",
	"GET /v1/galleries/g/images/i/versions/1.0.0", "PUT /v1/galleries/g/images/i/versions/1.0.0",
	"PATCH /v1/galleries/g/images/i/versions/1.0.0", "DELETE /v1/galleries/g/images/i/versions/1.0.0",
	"GET /v1/galleries/g/images/i/versions/1.0.0/status", "GET /v1/galleries/g/images/i/versions/1.0.0/disks/os/tree",
	"POST /v1/galleries/g/images/i/versions/1.0.0/disks/os/frames", "POST /v1/uploads", "GET /v1/uploads/x", "POST /v1/uploads/x/open",
	"GET /v1/uploads/x/known", "GET /v1/uploads/x/spans", "POST /v1/uploads/x/batches", "POST /v1/uploads/x/commit", "DELETE /v1/uploads/x",
	"GET /", "GET /v1", "GET /v2/status", "GET /debug/pprof/", "GET /peer", "POST /v1/forward", "TRACE /v1/status", "GET /v1/join", "PUT /livez",
}

// TestHostile sends what no client of ours would.
func TestHostile(t *testing.T) {
	c := develop(t, "a")
	base, token := c.address("a"), c.vars["LOGGIA_TOKEN"]
	c.ok(t, "publish", image(t, filepath.Join(t.TempDir(), "raw"), 8, 3), "g/i/1.0.0")
	before := c.ok(t, "version", "show", "g/i/1.0.0", "--output", "json")
	indexed := read[v1.Status](t, c.user, "status").Applied

	t.Run("without a token", func(t *testing.T) {
		for _, route := range routes {
			method, path, _ := strings.Cut(route, " ")
			for _, bad := range []string{"", "nonsense"} {
				if a := c.ask(t, method, base+path, bad, []byte("{}")); a.status != http.StatusUnauthorized || a.fault.Code == "" {
					t.Errorf("%s with token %q: %d %s", route, bad, a.status, a.body)
				}
			}
		}
		for _, path := range []string{"/livez", "/readyz"} {
			if a := c.ask(t, "GET", base+path, "", nil); a.status != http.StatusOK {
				t.Errorf("%s: %d %s", path, a.status, a.body)
			}
		}
		if a := c.ask(t, "POST", base+"/v1/join", "", []byte(`{"token":"x"}`)); a.status/100 != 4 || strings.Contains(a.body, "PRIVATE") {
			t.Errorf("join with a forged token: %d %s", a.status, a.body)
		}
	})

	t.Run("methods and routes", func(t *testing.T) {
		for route, want := range map[string]int{
			"GET /v2/status": 404, "GET /": 404, "GET /v1/nothing": 404, "GET /v1/galleries/g/nothing": 404,
			"POST /v1/galleries/g": 405, "DELETE /v1/status": 405, "PATCH /v1/tokens": 405, "DELETE /v1/galleries": 405,
		} {
			method, path, _ := strings.Cut(route, " ")
			if a := c.ask(t, method, base+path, token, nil); a.status != want {
				t.Errorf("%s: %d, want %d: %s", route, a.status, want, a.body)
			} else if want == 404 && a.fault.Code == "" {
				t.Errorf("%s: the error is not in the API's form: %s", route, a.body)
			}
		}
	})

	t.Run("bodies", func(t *testing.T) { bodies(t, c) })
	t.Run("uploads", func(t *testing.T) { uploads(t, c) })

	t.Run("frames that are not in the disk", func(t *testing.T) {
		path := base + "/v1/galleries/g/images/i/versions/1.0.0/disks/"
		for _, bad := range []struct {
			route string
			body  []byte
			want  int
		}{
			{"os/frames", []byte("no records"), 400},
			{"os/frames", bytes.Repeat([]byte{0xff}, 4*mib), 400},
			{"os/frames", nil, 400},
			{"os/frames", asking(t, 0), 400},
			{"os/frames", asking(t, 1<<40), 400},
			{"os/frames", asking(t, -1), 400},
			{"7/frames", asking(t, 0), 404},
			{"64/frames", nil, 400},
			{"-1/frames", nil, 400},
			{"x/frames", nil, 400},
		} {
			if a := c.ask(t, "POST", path+bad.route, token, bad.body); a.status != bad.want {
				t.Errorf("%s with %d bytes: %d, want %d: %.200s", bad.route, len(bad.body), a.status, bad.want, a.body)
			}
		}
	})

	t.Run("nothing changed", func(t *testing.T) {
		if diff := cmp.Diff(before, c.ok(t, "version", "show", "g/i/1.0.0", "--output", "json")); diff != "" {
			t.Error(diff)
		}
		if list := read[[]v1.Gallery](t, c.user, "gallery", "list"); len(list) != 1 {
			t.Errorf("galleries: %+v", list)
		}
		if s := read[v1.Status](t, c.user, "status"); s.Applied < indexed {
			t.Errorf("applied index went from %d to %d", indexed, s.Applied)
		}
	})
}

// asking is a well-formed request for a chunk that no disk holds.
func asking(t *testing.T, span int64) []byte {
	t.Helper()
	var b bytes.Buffer
	w := wire.NewWriter(&b)
	err := errors.Join(w.Spans([]manifest.SpanRef{{Span: span}}), w.Chunks([]chunk.ID{chunk.ID(digest.Of([]byte("nowhere")))}), w.End())
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// bodies sends JSON that breaks rules: each is refused with 400 and names the field.
func bodies(t *testing.T, c *cluster) {
	base, token := c.address("a"), c.vars["LOGGIA_TOKEN"]
	for _, bad := range []struct{ method, path, body, target string }{
		{"PUT", "/v1/galleries/new", ``, "body"},
		{"PUT", "/v1/galleries/new", `{`, "body"},
		{"PUT", "/v1/galleries/new", `[]`, "body"},
		{"PUT", "/v1/galleries/new", `{} {}`, "body"},
		{"PUT", "/v1/galleries/new", `{"unknown":1}`, "unknown"},
		{"PUT", "/v1/galleries/new", `{"location":7}`, "location"},
		{"PUT", "/v1/galleries/new", `{"tags":{"a":1}}`, "tags"},
		{"PUT", "/v1/galleries/new", `{"location":"nowhere"}`, "location"},
		{"PUT", "/v1/galleries/new", strings.Repeat(`{"tags":`, 20000), "body"},
		{"PUT", "/v1/galleries/g%00h", `{}`, ""},
		{"PUT", "/v1/galleries/%2e%2e%2fg", `{}`, ""},
		{"PUT", "/v1/galleries/g/images/j", `{"osType":"BeOS"}`, "os"},
		{"PUT", "/v1/galleries/g/images/i/versions/1", `{}`, ""},
		{"PUT", "/v1/galleries/g/images/i/versions/latest", `{}`, ""},
		{"PUT", "/v1/galleries/g/images/i/versions/4294967296.0.0", `{}`, ""},
		{"PUT", "/v1/galleries/g/images/i/versions/1.2.0", `{}`, "disk"},
		{"PATCH", "/v1/galleries/g/images/i/versions/1.0.0", `{"replicaCount":-1}`, "replicaCount"},
		{"PATCH", "/v1/galleries/g/images/i/versions/1.0.0", `{"replicaCount":101}`, "replicaCount"},
		{"PATCH", "/v1/galleries/g/images/i/versions/1.0.0", `{"replicaCount":1e30}`, "replicaCount"},
		{"PATCH", "/v1/galleries/g/images/i/versions/1.0.0", `{"targetRegions":[{"name":"a"},{"name":"nowhere"}]}`, "targetRegions"},
		{"PATCH", "/v1/galleries/g/images/i/versions/1.0.0", `{"targetRegions":[{"name":"a","storageAccountType":"Tape"}]}`, "storageAccountType"},
		{"PATCH", "/v1/galleries/g/images/i/versions/1.0.0", `{"disks":[]}`, "disks"},
		{"PATCH", "/v1/galleries/g/images/i/versions/1.0.0", `{"endOfLifeDate":"soon"}`, ""},
		{"POST", "/v1/tokens", `{"name":"x","ttl":"never"}`, "ttl"},
		{"POST", "/v1/tokens", `{"name":"x","ttl":"-1s"}`, "ttl"},
		{"POST", "/v1/tokens", `{"name":""}`, "name"},
		{"POST", "/v1/join-tokens", `{"region":"7 seas"}`, "region"},
		{"POST", "/v1/join-tokens", `{"region":"b","seat":"king"}`, "seat"},
		{"POST", "/v1/uploads", `{"id":"../../etc","size":512}`, "id"},
		{"POST", "/v1/uploads", `{"id":"` + uuid.NewString() + `","size":-1}`, "size"},
		{"POST", "/v1/uploads", `{"id":"` + uuid.NewString() + `","size":513}`, "size"},
		{"POST", "/v1/uploads", `{"id":"` + uuid.NewString() + `","size":9223372036854775807}`, "size"},
		{"POST", "/v1/uploads", `{"id":"` + uuid.NewString() + `","size":512,"kind":"tape"}`, ""},
		{"GET", "/v1/galleries?consistency=maybe", ``, "consistency"},
		{"GET", "/v1/galleries/g/images/i/versions/latest?region=-", ``, ""},
	} {
		a := c.ask(t, bad.method, base+bad.path, token, []byte(bad.body))
		if a.status != http.StatusBadRequest || a.fault.Message == "" {
			t.Errorf("%s %s %.60s: %d %.300s", bad.method, bad.path, bad.body, a.status, a.body)
			continue
		}
		if !strings.Contains(strings.ToLower(a.fault.Target+" "+a.fault.Message), strings.ToLower(bad.target)) {
			t.Errorf("%s %s %.60s: target %q does not name %q: %s", bad.method, bad.path, bad.body, a.fault.Target, bad.target, a.fault.Message)
		}
	}
	large := []byte(`{"description":"` + strings.Repeat("x", 2*mib) + `"}`)
	if a := c.ask(t, "PUT", base+"/v1/galleries/new", token, large); a.status/100 != 4 || a.fault.Target != "body" {
		t.Errorf("a body of 2 MiB: %d %s", a.status, a.body)
	}
	for _, header := range [][2]string{{"If-Match", `"nonsense"`}, {"If-Match", "999999"}} {
		a := c.ask(t, "PATCH", base+"/v1/galleries/g/images/i/versions/1.0.0", token, []byte(`{"replicaCount":2}`), header[0], header[1])
		if a.status != http.StatusPreconditionFailed {
			t.Errorf("%v: %d %s", header, a.status, a.body)
		}
	}
}

// uploads sends batches that are no batches, commits what is not there, and abandons.
func uploads(t *testing.T, c *cluster) {
	base, token := c.address("a")+"/v1/uploads", c.vars["LOGGIA_TOKEN"]
	id := uuid.NewString()
	expect := func(want int, method, path, body string) answer {
		t.Helper()
		a := c.ask(t, method, base+path, token, []byte(body))
		if a.status != want {
			t.Errorf("%s %s: %d, want %d: %.300s", method, path, a.status, want, a.body)
		}
		return a
	}
	expect(404, "GET", "/"+id, "")
	expect(421, "POST", "/"+id+"/batches", "x")
	open := fmt.Sprintf(`{"id":%q,"size":%d}`, id, 8*mib)
	expect(200, "POST", "", open)
	expect(200, "POST", "", open) // again: the same upload
	expect(200, "POST", "/"+id+"/open", open)
	expect(400, "POST", "/"+id+"/open", fmt.Sprintf(`{"id":%q,"size":512}`, uuid.NewString()))
	for _, body := range []string{"no records", strings.Repeat("\x00", 1000), strings.Repeat("\xff", mib)} {
		if a := expect(400, "POST", "/"+id+"/batches", body); a.status == 400 && a.fault.Message == "" {
			t.Error("a wrong batch is refused without a word")
		}
	}
	for _, worker := range []string{"-1", "65536", "x", "99999999999999999999"} {
		if a := expect(400, "POST", "/"+id+"/batches?worker="+worker, ""); !strings.Contains(a.fault.Message, "worker") {
			t.Errorf("worker %s: %q does not name the field", worker, a.fault.Message)
		}
	}
	if a := c.ask(t, "POST", base+"/"+id+"/commit", token, []byte(`{"root":"00"}`)); a.status/100 != 4 {
		t.Errorf("commit of a wrong root: %d %s", a.status, a.body)
	}
	root := strings.Repeat("ab", 32)
	if a := c.ask(t, "POST", base+"/"+id+"/commit", token, []byte(fmt.Sprintf(`{"root":%q}`, root))); a.status/100 != 4 {
		t.Errorf("commit of a root whose disk was not sent: %d %s", a.status, a.body)
	}
	expect(204, "DELETE", "/"+id, "")
	if a := c.ask(t, "POST", base+"/"+id+"/batches", token, []byte("x")); a.status/100 != 4 {
		t.Errorf("a batch for an abandoned upload: %d %s", a.status, a.body)
	}
}

package e2e

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"loggia/api/authz"
	"loggia/api/v1"
)

// join makes a service principal and logs it in.
func (c *cluster) join(t *testing.T, name string) (program, user) {
	t.Helper()
	p := read[program](t, c.user, "acl", "principal", "create", name)
	var a granted
	eventually(t, name+" to be known", func() error {
		if a = c.client(t, "a", p.ClientID, p.ClientSecret); a.status != 200 {
			return errors.New(a.Description)
		}
		return nil
	})
	return p, c.with("LOGGIA_TOKEN=" + a.Token)
}

// TestRights shows people who may do some things with some galleries, and that nothing else is open to them.
func TestRights(t *testing.T) {
	c := develop(t, "a,b")
	dir := t.TempDir()
	disk := image(t, filepath.Join(dir, "disk"), 8, 1)
	c.ok(t, "publish", disk, "ours/base/1.0.0", "--regions", "a,b")
	c.ok(t, "publish", disk, "secret/base/1.0.0", "--regions", "a,b")
	ours := read[v1.Gallery](t, c.user, "gallery", "show", "ours")
	if ours.ID == "" {
		t.Fatalf("the gallery has no id: %+v", ours)
	}
	publisher, p := c.join(t, "publisher")
	reader, r := c.join(t, "reader")
	_, nobody := c.join(t, "nobody")
	c.ok(t, "acl", "role", "assign", "Compute Gallery Artifacts Publisher", publisher.ID, "--scope", ours.ID)
	c.ok(t, "acl", "role", "assign", "Compute Gallery Image Reader", reader.ID, "--scope", ours.ID)

	t.Run("a publisher", func(t *testing.T) {
		p.ok(t, "publish", disk, "ours/base/1.0.1", "--regions", "a,b")
		p.ok(t, "publish", disk, "ours/new/1.0.0")
		p.ok(t, "pull", "ours/base/1.0.1", "-o", filepath.Join(dir, "p"))
		p.fails(t, 4, nil, "publish", disk, "secret/base/1.0.1")
		p.fails(t, 4, nil, "publish", disk, "ours/base/1.0.2", "--base", "secret/base/1.0.0") // whose chunks it may not know of
		p.fails(t, 4, nil, "publish", disk, "fresh/base/1.0.0")
		p.fails(t, 4, nil, "pull", "secret/base/1.0.0", "-o", filepath.Join(dir, "no"))
	})
	t.Run("a reader", func(t *testing.T) {
		for _, region := range []string{"a", "b"} {
			out := filepath.Join(dir, "r-"+region)
			r.with("LOGGIA_ADDRESS="+c.address(region)).ok(t, "pull", "ours/base/1.0.0", "-o", out)
			want, err := os.ReadFile(disk)
			got, err2 := os.ReadFile(out)
			if err != nil || err2 != nil || !bytes.Equal(want, got) {
				t.Errorf("%s: another disk (%v, %v)", region, err, err2)
			}
		}
		r.fails(t, 4, nil, "publish", disk, "ours/base/1.0.9")
		r.fails(t, 4, nil, "version", "delete", "ours/base/1.0.0")
		r.fails(t, 4, nil, "gallery", "show", "ours") // rights on images are not rights on the gallery
		r.fails(t, 4, nil, "pull", "secret/base/1.0.0", "-o", filepath.Join(dir, "no"))
	})
	t.Run("a disk of others", func(t *testing.T) {
		v := read[v1.Version](t, c.user, "version", "show", "secret/base/1.0.0")
		body := `{"location":"a","targetRegions":[{"name":"a"}],"disks":[{"lun":-1,"disk":"` + v.Disks[0].Disk + `"}]}`
		none := strings.Replace(body, v.Disks[0].Disk, "00000000-0000-4000-8000-000000000000", 1)
		status, text := c.raw(t, p, "PUT", "/v1/galleries/ours/images/base/versions/6.6.6", body)
		status2, text2 := c.raw(t, p, "PUT", "/v1/galleries/ours/images/base/versions/6.6.6", none)
		text2 = strings.ReplaceAll(text2, "00000000-0000-4000-8000-000000000000", v.Disks[0].Disk)
		if status != 400 || status2 != 400 || text != text2 {
			t.Errorf("somebody else's disk: %d %s, one that is not there: %d %s", status, text, status2, text2)
		}
	})
	t.Run("an upload of others", func(t *testing.T) {
		const id = "6a1b8f04-0000-4000-8000-00000000aaaa"
		if status, text := c.raw(t, p, "POST", "/v1/uploads", `{"id":"`+id+`","size":512,"target":"`+ours.ID+`/images/base/versions/2.0.0"}`); status != 200 {
			t.Fatalf("open: %d %s", status, text)
		}
		for _, u := range []user{r, nobody} {
			for _, what := range []struct{ method, path, body string }{{"GET", "", ""}, {"POST", "/open", `{"id":"` + id + `","size":512}`}, {"GET", "/known", ""}, {"GET", "/spans", ""},
				{"POST", "/batches", ""}, {"POST", "/commit", `{"root":""}`}, {"DELETE", "", ""}} {
				status, text := c.raw(t, u, what.method, "/v1/uploads/"+id+what.path, what.body)
				other, _ := c.raw(t, u, what.method, "/v1/uploads/6a1b8f04-0000-4000-8000-00000000bbbb"+what.path, strings.ReplaceAll(what.body, "aaaa", "bbbb"))
				if status != 403 || other != 403 {
					t.Errorf("%s %s: %d %s, and %d for one that is not there; want 403", what.method, what.path, status, text, other)
				}
			}
		}
		if status, _ := c.raw(t, p, "DELETE", "/v1/uploads/"+id, ""); status != 204 {
			t.Errorf("its own: %d", status)
		}
	})
	t.Run("every route", func(t *testing.T) { everyRoute(t, c, nobody) })
}

// raw sends a request as a user.
func (c *cluster) raw(t *testing.T, u user, method, path, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, c.address("a")+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if token := u.value("LOGGIA_TOKEN"); token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := c.web(t).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

var routeVariable = regexp.MustCompile(`\{(\w+)\}`)

// everyRoute walks the table against a real node with somebody who has no role: what exists, and what does not, answers
// the same.
func everyRoute(t *testing.T, c *cluster, nobody user) {
	exists := map[string]string{"g": "secret", "i": "base", "v": "1.0.0", "lun": "os", "region": "a", "group": "default"}
	for _, rule := range authz.Rules() {
		name := rule.Method + " " + rule.Pattern
		path := func(names map[string]string) string {
			return routeVariable.ReplaceAllStringFunc(rule.Pattern, func(v string) string {
				if s, ok := names[strings.Trim(v, "{}")]; ok {
					return s
				}
				return "00000000-0000-4000-8000-0000000000ff"
			})
		}
		body := "{}"
		if name == "POST /v1/uploads" || name == "POST /v1/uploads/{id}/open" {
			body = `{"id":"00000000-0000-4000-8000-0000000000ff","size":512}`
		}
		status, text := c.raw(t, nobody, rule.Method, path(exists), body)
		other, text2 := c.raw(t, nobody, rule.Method, path(map[string]string{"lun": "os", "v": "9.9.9"}), body)
		want := []int{403, 404}
		if name == "GET /v1/acl/me" {
			want = []int{200}
		}
		if !slices.Contains(want, status) || status != other {
			t.Errorf("%s for somebody without a role: %d %s; and %d %s for what is not there", name, status, text, other, text2)
		}
		if strings.Contains(text, "resourceGroups") && !strings.Contains(rule.Pattern, "acl/assignments") {
			t.Errorf("%s tells where it lies: %s", name, text)
		}
	}
}

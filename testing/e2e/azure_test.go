package e2e

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// armVersion is the api-version of the newest clients.
const armVersion = "2025-12-03"

// arm is a client of Resource Manager that hides nothing.
type arm struct {
	t     *testing.T
	c     *cluster
	http  *http.Client
	base  string
	token string
}

// reply is what was answered.
type reply struct {
	status int
	header http.Header
	body   map[string]any
	raw    string
}

func (r reply) code() string {
	e, _ := r.body["error"].(map[string]any)
	s, _ := e["code"].(string)
	return s
}

// at returns the member at a path of names.
func (r reply) at(path string) any {
	var v any = r.body
	for name := range strings.SplitSeq(path, ".") {
		m, _ := v.(map[string]any)
		v = m[name]
	}
	return v
}

func newARM(t *testing.T, c *cluster, region string) *arm {
	t.Helper()
	pem, err := os.ReadFile(c.vars["LOGGIA_CACERT"])
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	a := &arm{t: t, c: c, base: c.address(region), http: &http.Client{Timeout: patience,
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return errors.New("a redirect") }}}
	a.token = a.login(c.vars["LOGGIA_CLIENT_ID"], c.vars["LOGGIA_CLIENT_SECRET"])
	return a
}

// login gets a token as az does.
func (a *arm) login(id, secret string) string {
	a.t.Helper()
	resp, err := a.http.PostForm(a.base+"/adfs/oauth2/token", url.Values{"grant_type": {"client_credentials"}, "client_id": {id}, "client_secret": {secret}})
	if err != nil {
		a.t.Fatal(err)
	}
	defer resp.Body.Close()
	var out struct {
		Token string `json:"access_token"`
	}
	b, _ := io.ReadAll(resp.Body)
	if err := json.Unmarshal(b, &out); err != nil || out.Token == "" {
		a.t.Fatalf("log in: %d %s", resp.StatusCode, b)
	}
	return out.Token
}

// do sends one request. A path without a query gets the newest api-version.
func (a *arm) do(method, path string, body any, header ...string) reply {
	a.t.Helper()
	var in io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		in = strings.NewReader(b)
	default:
		j, err := json.Marshal(b)
		if err != nil {
			a.t.Fatal(err)
		}
		in = bytes.NewReader(j)
	}
	if !strings.HasPrefix(path, "https:") {
		path = a.base + path
	}
	if !strings.Contains(path, "?") {
		path += "?api-version=" + armVersion
	}
	req, err := http.NewRequestWithContext(a.t.Context(), method, path, in)
	if err != nil {
		a.t.Fatal(err)
	}
	if a.token != "" {
		req.Header.Set("Authorization", "Bearer "+a.token)
	}
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := a.http.Do(req)
	if err != nil {
		a.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	r := reply{status: resp.StatusCode, header: resp.Header, raw: string(raw)}
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &r.body); err != nil {
			a.t.Fatalf("%s %s: %d: no JSON: %s", method, path, resp.StatusCode, raw)
		}
	}
	return r
}

// want sends a request and checks status and, of a failure, code.
func (a *arm) want(status int, code, method, path string, body any, header ...string) reply {
	a.t.Helper()
	r := a.do(method, path, body, header...)
	if r.status != status || r.code() != code {
		a.t.Fatalf("%s %s: got %d %s, want %d %s\n%s", method, path, r.status, r.code(), status, code, r.raw)
	}
	if code != "" && r.header.Get("x-ms-error-code") != code {
		a.t.Errorf("%s %s: x-ms-error-code is %q", method, path, r.header.Get("x-ms-error-code"))
	}
	return r
}

// wait polls the operation of an answer until it ends.
func (a *arm) wait(r reply) map[string]any {
	a.t.Helper()
	link := r.header.Get("Azure-AsyncOperation")
	if !strings.HasPrefix(link, a.base) {
		a.t.Fatalf("Azure-AsyncOperation is %q, want an absolute link on %s", link, a.base)
	}
	var op reply
	eventually(a.t, "the operation to end", func() error {
		if op = a.do("GET", link, nil); op.status != 200 || op.body["status"] == "InProgress" {
			return fmt.Errorf("it is %s", op.raw)
		}
		return nil
	})
	return op.body
}

// TestAzure walks the life of a gallery as Azure's clients do, on the wire.
func TestAzure(t *testing.T) {
	c := develop(t, "a,b")
	a := newARM(t, c, "a")
	sub := "/subscriptions/" + c.vars["LOGGIA_SUBSCRIPTION"]
	group := sub + "/resourceGroups/RG1"
	gal := group + "/providers/Microsoft.Compute/galleries/Gal1"
	img := gal + "/images/debian"
	ver := img + "/versions/1.0.0"

	t.Run("places", func(t *testing.T) {
		a := *a
		a.t = t
		if r := a.want(200, "", "GET", "/subscriptions", nil); !strings.Contains(r.raw, c.vars["LOGGIA_SUBSCRIPTION"]) {
			t.Errorf("subscriptions: %s", r.raw)
		}
		a.want(404, "SubscriptionNotFound", "GET", "/subscriptions/00000000-0000-4000-8000-000000000000/resourceGroups", nil)
		a.want(400, "MissingApiVersionParameter", "GET", "/subscriptions?x=y", nil)
		a.want(400, "InvalidApiVersionParameter", "GET", "/subscriptions?api-version=yesterday", nil)
		a.want(404, "NotFound", "GET", sub+"/nowhere", nil)
		if r := a.want(200, "", "GET", sub+"/locations", nil); len(r.body["value"].([]any)) != 2 {
			t.Errorf("locations: %s", r.raw)
		}
		a.want(404, "ResourceGroupNotFound", "GET", group, nil)
		if r := a.do("HEAD", group, nil); r.status != 404 {
			t.Errorf("HEAD of no group: %d", r.status)
		}
		a.want(201, "", "PUT", group, map[string]any{"location": "a", "tags": map[string]string{"x": "y"}})
		a.want(200, "", "PUT", strings.ToLower(group), map[string]any{"location": "a"})
		if r := a.do("HEAD", group, nil); r.status != 204 {
			t.Errorf("HEAD of a group: %d", r.status)
		}
		if r := a.want(200, "", "GET", strings.ReplaceAll(group, "/resourceGroups/RG1", "//resourcegroups/rg1/"), nil); r.body["name"] != "RG1" || r.body["tags"] != nil {
			t.Errorf("the group: %s", r.raw)
		}
	})

	t.Run("gallery and definition", func(t *testing.T) {
		a := *a
		a.t = t
		a.want(400, "LocationRequired", "PUT", gal, map[string]any{})
		a.want(400, "LocationNotAvailableForResourceType", "PUT", gal, map[string]any{"location": "mars"})
		a.want(400, "InvalidRequestContent", "PUT", gal, `{"location": `)
		a.want(400, "InvalidResourceName", "PUT", gal+"-x", map[string]any{"location": "a"})
		a.want(404, "ResourceNotFound", "GET", gal, nil)
		made := a.want(201, "", "PUT", gal, map[string]any{"location": "a", "properties": map[string]any{"description": "d", "provisioningState": "Nonsense"}})
		if made.at("properties.identifier.uniqueName") != c.vars["LOGGIA_SUBSCRIPTION"]+"-GAL1" || made.at("properties.softDeletePolicy") == nil {
			t.Errorf("gallery: %s", made.raw)
		}
		a.wait(made)
		tag := made.header.Get("ETag")
		a.want(412, "PreconditionFailed", "PUT", gal, map[string]any{"location": "a"}, "If-None-Match", "*")
		a.want(412, "PreconditionFailed", "PATCH", gal, map[string]any{"properties": map[string]any{"description": "e"}}, "If-Match", `"1"`)
		patched := a.want(200, "", "PATCH", gal, map[string]any{"properties": map[string]any{"description": "e"}}, "If-Match", tag)
		if patched.at("properties.description") != "e" {
			t.Errorf("patched: %s", patched.raw)
		}
		a.want(409, "InvalidResourceLocation", "PUT", gal, map[string]any{"location": "b"})
		if r := a.want(200, "", "PUT", strings.ToLower(gal), map[string]any{"location": "A"}); r.body["name"] != "Gal1" || r.body["id"] != gal {
			t.Errorf("written in another case: %s", r.raw)
		}
		tags := gal + "/providers/Microsoft.Resources/tags/default"
		marked := a.want(200, "", "GET", tags, nil).header.Get("ETag")
		merge := map[string]any{"operation": "Merge", "properties": map[string]any{"tags": map[string]any{"k": "v"}}}
		a.want(412, "PreconditionFailed", "PATCH", tags, merge, "If-Match", `"1"`)
		merged := a.want(200, "", "PATCH", tags, merge, "If-Match", marked)
		if merged.header.Get("ETag") != a.want(200, "", "GET", gal, nil).header.Get("ETag") {
			t.Errorf("the etag of tags is not the resource's: %v", merged.header)
		}
		a.want(412, "PreconditionFailed", "DELETE", tags, nil, "If-Match", marked)
		a.want(200, "", "DELETE", tags, nil)
		definition := map[string]any{"location": "a", "properties": map[string]any{"osType": "linux", "osState": "Generalized",
			"identifier": map[string]any{"publisher": "p", "offer": "o", "sku": "s"}, "recommended": map[string]any{"vCPUs": map[string]any{"min": "1", "max": 4}}}}
		a.want(404, "ParentResourceNotFound", "PUT", strings.Replace(img, "Gal1", "none", 1), definition)
		i := a.want(201, "", "PUT", img, definition)
		if i.at("properties.osType") != "Linux" || i.at("properties.recommended.vCPUs.min") != 1.0 || i.at("properties.hyperVGeneration") != "V2" {
			t.Errorf("definition: %s", i.raw)
		}
		a.want(409, "Conflict", "PUT", gal+"/images/twin", definition)
		a.want(409, "PropertyChangeNotAllowed", "PATCH", img, map[string]any{"properties": map[string]any{"osType": "Windows"}})
		if r := a.want(200, "", "GET", gal+"/images", nil); len(r.body["value"].([]any)) != 1 {
			t.Errorf("definitions: %s", r.raw)
		}
		a.want(409, "CannotDeleteResource", "DELETE", gal, nil)
	})

	dir := t.TempDir()
	raw := image(t, filepath.Join(dir, "disk.raw"), 4, 7)
	t.Run("a version of an uploaded snapshot", func(t *testing.T) {
		a := *a
		a.t = t
		c.ok(t, "upload", raw, "--name", "snap1", "--resource-group", "rg1")
		snap := group + "/providers/Microsoft.Compute/snapshots/snap1"
		if r := a.want(200, "", "GET", snap, nil); r.at("properties.provisioningState") != "Succeeded" || r.at("properties.diskSizeBytes") == nil {
			t.Errorf("snapshot: %s", r.raw)
		}
		body := map[string]any{"location": "a", "properties": map[string]any{
			"publishingProfile": map[string]any{"targetRegions": []any{map[string]any{"name": "A", "regionalReplicaCount": 2}, map[string]any{"name": "b"}}},
			"storageProfile":    map[string]any{"osDiskImage": map[string]any{"source": map[string]any{"id": snap}}}}}
		a.want(400, "InvalidResourceName", "PUT", img+"/versions/v1", body)
		began := time.Now()
		made := a.want(201, "", "PUT", ver, body)
		t.Logf("the version was answered after %v", time.Since(began))
		if op := a.wait(made); op["status"] != "Succeeded" {
			t.Fatalf("operation: %v", op)
		}
		v := a.want(200, "", "GET", ver+"?api-version="+armVersion+"&%24expand=ReplicationStatus", nil)
		if v.at("properties.provisioningState") != "Succeeded" || v.at("properties.replicationStatus.aggregatedState") != "Completed" ||
			v.at("properties.safetyProfile.allowDeletionOfReplicatedLocations") != false {
			t.Errorf("version: %s", v.raw)
		}
		targets := v.at("properties.publishingProfile.targetRegions").([]any)
		if len(targets) != 2 || targets[0].(map[string]any)["regionalReplicaCount"] != 2.0 {
			t.Errorf("targets: %v", targets)
		}
		a.want(409, "OperationNotAllowed", "PATCH", ver, map[string]any{"properties": map[string]any{"publishingProfile": map[string]any{"targetRegions": []any{map[string]any{"name": "a"}}}}})
		kept := a.want(200, "", "PUT", ver+"?api-version=2022-03-03", map[string]any{"location": "a", "properties": map[string]any{
			"publishingProfile": map[string]any{"excludeFromLatest": true}, "storageProfile": map[string]any{"osDiskImage": map[string]any{"hostCaching": "none"}}}})
		if kept.status == 200 && len(kept.at("properties.publishingProfile.targetRegions").([]any)) != 2 {
			t.Errorf("an update without target regions: %s", kept.raw)
		}
		out := filepath.Join(dir, "pulled.raw")
		c.at("b").ok(t, "pull", "Gal1/debian/1.0.0", "-o", out)
		same(t, raw, out)
	})

	t.Run("deleting", func(t *testing.T) {
		a := *a
		a.t = t
		a.want(409, "CannotDeleteResource", "DELETE", img, nil)
		gone := a.want(202, "", "DELETE", ver, nil)
		if gone.header.Get("Location") == "" {
			t.Error("a DELETE without Location")
		}
		if op := a.wait(gone); op["status"] != "Succeeded" {
			t.Errorf("operation: %v", op)
		}
		a.want(404, "ResourceNotFound", "GET", ver, nil)
		a.want(204, "", "DELETE", ver, nil)
		a.wait(a.want(202, "", "DELETE", img, nil))
		a.wait(a.want(202, "", "DELETE", gal, nil))
		a.wait(a.want(202, "", "DELETE", group, nil))
		a.want(404, "ResourceGroupNotFound", "GET", group, nil)
		a.want(404, "ResourceGroupNotFound", "GET", group+"/providers/Microsoft.Compute/snapshots/snap1", nil)
	})
}

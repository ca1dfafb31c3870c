package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// as is the wire in another principal's name.
func (a *arm) as(t *testing.T, p program) *arm {
	t.Helper()
	other := *a
	other.t = t
	other.token = other.login(p.ClientID, p.ClientSecret)
	return &other
}

// on is the wire in a subtest.
func (a *arm) on(t *testing.T) *arm {
	other := *a
	other.t = t
	return &other
}

// grant gives a role on the wire, as armauthorization does.
func (a *arm) grant(scope, role, principal string) reply {
	a.t.Helper()
	ids := map[string]string{"Reader": "acdd72a7-3385-48ef-bd42-f606fba81ae7", "Contributor": "b24988ac-6180-42a0-ab88-20f7382dd24c", "Image Reader": "cf7c76d2-98a3-4358-a134-615aa78bf44d",
		"Publisher": "85a2d0d9-2eba-4c9c-b355-11c2cc0788ab"}
	name := fmt.Sprintf("%08x-0000-4000-8000-%012x", time.Now().UnixNano()&0xffffffff, time.Now().UnixNano()&0xffffffffffff)
	return a.want(201, "", "PUT", scope+"/providers/Microsoft.Authorization/roleAssignments/"+name, map[string]any{"properties": map[string]any{
		"roleDefinitionId": "/subscriptions/x/providers/Microsoft.Authorization/roleDefinitions/" + ids[role], "principalId": principal}})
}

// TestAzureRights shows who may do what on the wire, by roles that were given on the wire.
func TestAzureRights(t *testing.T) {
	c := develop(t, "a,b")
	a := newARM(t, c, "a")
	sub := "/subscriptions/" + c.vars["LOGGIA_SUBSCRIPTION"]
	group := sub + "/resourceGroups/rg"
	gal := group + "/providers/Microsoft.Compute/galleries/g"
	img := gal + "/images/i"
	definition := map[string]any{"location": "a", "properties": map[string]any{"osType": "Linux", "osState": "Generalized", "identifier": map[string]any{"publisher": "p", "offer": "o", "sku": "s"}}}
	a.want(201, "", "PUT", group, map[string]any{"location": "a"})
	a.want(201, "", "PUT", gal, map[string]any{"location": "a"})
	a.want(201, "", "PUT", img, definition)
	raw := image(t, filepath.Join(t.TempDir(), "disk.raw"), 4, 3)
	c.ok(t, "upload", raw, "--name", "snap", "--resource-group", "rg")
	snap := group + "/providers/Microsoft.Compute/snapshots/snap"
	version := func(source string) map[string]any {
		return map[string]any{"location": "a", "properties": map[string]any{"storageProfile": map[string]any{"osDiskImage": map[string]any{"source": map[string]any{"id": source}}}}}
	}
	a.wait(a.want(201, "", "PUT", img+"/versions/1.0.0", version(snap)))
	made := func(name string) program { return read[program](t, c.user, "acl", "principal", "create", name) }

	t.Run("nobody", func(t *testing.T) {
		a := a.as(t, made("nobody"))
		for _, path := range []string{group, gal, img, img + "/versions/1.0.0", snap, group + "/resources", sub + "/providers/Microsoft.Compute/galleries",
			gal + "/providers/Microsoft.Authorization/roleAssignments", gal + "/providers/Microsoft.Resources/tags/default", gal + "x", group + "x"} {
			r := a.want(403, "AuthorizationFailed", "GET", path, nil)
			if strings.Contains(r.raw, "Linux") {
				t.Errorf("GET %s leaks: %s", path, r.raw)
			}
		}
		for _, method := range []string{"PUT", "PATCH", "DELETE"} {
			a.want(403, "AuthorizationFailed", method, gal, map[string]any{"location": "a"})
		}
		a.want(403, "AuthorizationFailed", "POST", snap+"/beginGetAccess", map[string]any{"access": "Read", "durationInSeconds": 600})
		// Of a resource that is not there it is told the same.
		there, not := a.do("GET", gal, nil), a.do("GET", gal+"x", nil)
		if strings.ReplaceAll(not.raw, "galleries/gx", "galleries/g") != there.raw {
			t.Errorf("there: %s\nnot: %s", there.raw, not.raw)
		}
		a.want(404, "SubscriptionNotFound", "GET", "/subscriptions/00000000-0000-4000-8000-000000000000/resourceGroups", nil)
	})

	t.Run("a reader", func(t *testing.T) {
		p := made("reader")
		a.on(t).grant(group, "Reader", p.ID)
		r := a.as(t, p)
		r.want(200, "", "GET", img+"/versions/1.0.0", nil)
		r.want(200, "", "GET", group+"/resources", nil)
		refused := r.want(403, "AuthorizationFailed", "PUT", gal, map[string]any{"location": "a"})
		for _, named := range []string{p.ClientID, p.ID, "Microsoft.Compute/galleries/write", gal} {
			if !strings.Contains(refused.raw, named) {
				t.Errorf("the refusal does not name %s: %s", named, refused.raw)
			}
		}
		r.want(403, "AuthorizationFailed", "PUT", group+"/providers/Microsoft.Authorization/roleAssignments/00000000-0000-4000-8000-0000000000aa", map[string]any{"properties": map[string]any{}})
	})

	t.Run("an image reader", func(t *testing.T) {
		p := made("imager")
		a.on(t).grant(img, "Image Reader", p.ID)
		r := a.as(t, p)
		r.want(200, "", "GET", img, nil)
		r.want(200, "", "GET", img+"/versions/1.0.0", nil)
		r.want(403, "AuthorizationFailed", "GET", gal, nil)
		out := filepath.Join(t.TempDir(), "pulled")
		c.with("LOGGIA_TOKEN="+r.token).ok(t, "pull", "g/i/1.0.0", "-o", out)
		same(t, raw, out)
	})

	t.Run("a contributor of one gallery names what it may not read", func(t *testing.T) {
		p := made("contributor")
		a.on(t).grant(gal, "Contributor", p.ID)
		r := a.as(t, p)
		linked := r.want(403, "LinkedAuthorizationFailed", "PUT", img+"/versions/2.0.0", version(snap))
		if target, _ := linked.at("error.target").(string); !strings.HasPrefix(target, "properties.storageProfile") {
			t.Errorf("target: %s", linked.raw)
		}
		r.want(201, "", "PUT", img+"/versions/2.0.0", map[string]any{"location": "a", "properties": map[string]any{"storageProfile": map[string]any{"source": map[string]any{"id": img + "/versions/1.0.0"}}}})
		r.want(404, "NotFound", "PUT", img+"/versions/3.0.0", version("/subscriptions/00000000-0000-4000-8000-000000000000/resourceGroups/x/providers/Microsoft.Compute/snapshots/y"))
		r.want(400, "InvalidParameter", "PUT", img+"/versions/3.0.0", version("/subscriptions/x/resourceGroups"))
	})

	t.Run("assignments", func(t *testing.T) {
		a := a.on(t)
		p := made("twice")
		first := a.grant(gal, "Reader", p.ID)
		id := first.body["id"].(string)
		a.want(409, "RoleAssignmentExists", "PUT", gal+"/providers/Microsoft.Authorization/roleAssignments/00000000-0000-4000-8000-0000000000bb", map[string]any{
			"properties": map[string]any{"roleDefinitionId": first.at("properties.roleDefinitionId"), "principalId": p.ID}})
		if r := a.want(200, "", "GET", sub+"/providers/Microsoft.Authorization/roleAssignments?api-version=2022-04-01&$filter=principalId+eq+'"+p.ID+"'", nil); len(r.body["value"].([]any)) != 1 {
			t.Errorf("assignments of the principal: %s", r.raw)
		}
		shown := a.want(200, "", "GET", id, nil)
		again := map[string]any{"properties": map[string]any{"roleDefinitionId": first.at("properties.roleDefinitionId"), "principalId": p.ID, "description": "told again"}}
		a.want(412, "PreconditionFailed", "PUT", id, again, "If-None-Match", "*")
		a.want(412, "PreconditionFailed", "PUT", id, again, "If-Match", `"1"`)
		a.want(200, "", "PUT", id, again, "If-Match", shown.header.Get("ETag"))
		a.want(412, "PreconditionFailed", "DELETE", id, nil, "If-Match", shown.header.Get("ETag"))
		a.want(200, "", "DELETE", id, nil)
		a.want(204, "", "DELETE", id, nil)
		a.want(404, "RoleAssignmentNotFound", "GET", id, nil)
		role := sub + "/providers/Microsoft.Authorization/roleDefinitions/00000000-0000-4000-8000-0000000000cc"
		custom := map[string]any{"properties": map[string]any{"roleName": "Tagger", "permissions": []any{map[string]any{"actions": []string{"Microsoft.Resources/tags/*"}}}, "assignableScopes": []string{sub}}}
		a.want(404, "ResourceNotFound", "GET", role, nil)
		a.want(412, "PreconditionFailed", "PUT", role, custom, "If-Match", "*")
		a.want(201, "", "PUT", role, custom, "If-None-Match", "*")
		a.want(412, "PreconditionFailed", "PUT", role, custom, "If-None-Match", "*")
		tag := a.want(200, "", "GET", role, nil).header.Get("ETag")
		a.want(201, "", "PUT", role, custom, "If-Match", tag)
		a.want(412, "PreconditionFailed", "DELETE", role, nil, "If-Match", tag)
		if r := a.want(200, "", "GET", sub+"/providers/Microsoft.Authorization/roleDefinitions?api-version=2022-04-01&$filter=roleName+eq+'tagger'", nil); len(r.body["value"].([]any)) != 1 {
			t.Errorf("the custom role: %s", r.raw)
		}
		a.want(200, "", "DELETE", role, nil)
		a.want(204, "", "DELETE", role, nil)
	})

	t.Run("bad tokens", func(t *testing.T) {
		b := a.on(t)
		b.token = ""
		b.want(401, "AuthenticationFailed", "GET", gal, nil)
		for name, token := range map[string]string{"nonsense": "x.y.z", "cut": a.token[:len(a.token)-4]} {
			b := a.on(t)
			b.token = token
			if r := b.want(401, "InvalidAuthenticationToken", "GET", gal, nil); !strings.Contains(r.header.Get("WWW-Authenticate"), "authorization_uri=") {
				t.Errorf("%s: WWW-Authenticate is %q", name, r.header.Get("WWW-Authenticate"))
			}
		}
	})
}

// TestAzureInput sends what no client should: it gets clear errors, never a 500.
func TestAzureInput(t *testing.T) {
	c := develop(t, "a")
	a := newARM(t, c, "a")
	sub := "/subscriptions/" + c.vars["LOGGIA_SUBSCRIPTION"]
	group := sub + "/resourceGroups/rg"
	gal := group + "/providers/Microsoft.Compute/galleries/g"
	a.want(404, "ResourceGroupNotFound", "PUT", gal, map[string]any{"location": "a"})
	a.want(201, "", "PUT", group, map[string]any{"location": "a"})
	a.want(201, "", "PUT", gal, map[string]any{"location": "a"})
	for _, test := range []struct {
		status             int
		code, method, path string
		body               any
	}{
		{400, "InvalidRequestContent", "PUT", gal, "not json"},
		{400, "InvalidRequestContent", "PUT", gal, `{"location":7}`},
		{400, "InvalidRequestContent", "PUT", gal, strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat("}", 100)},
		{413, "RequestEntityTooLarge", "PUT", gal, `{"location":"a","x":"` + strings.Repeat("x", 300<<10) + `"}`},
		{400, "InvalidParameter", "PUT", gal, map[string]any{"location": "a", "properties": map[string]any{"sharingProfile": map[string]any{"permissions": "Everybody"}}}},
		{405, "MethodNotAllowed", "POST", gal, nil},
		{404, "NotFound", "GET", gal + "/nothing", nil},
		{404, "NotFound", "GET", sub + "/providers/Microsoft.Compute/locations/a/capsOperations/00000000-0000-4000-8000-000000000000", nil},
		{400, "InvalidParameter", "GET", gal + "?api-version=2025-12-03&$expand=Everything", nil},
		{400, "InvalidFilterInQueryString", "GET", sub + "/resources?api-version=2021-04-01&$filter=name+gt+'x'", nil},
		{400, "InvalidParameter", "GET", sub + "/resourceGroups?api-version=2021-04-01&$skiptoken=%21", nil},
		{400, "InvalidParameter", "GET", group + "/providers/Microsoft.Compute/galleries/%2e%2e", nil},
		{400, "InvalidParameter", "GET", group + "/providers/Microsoft.Compute/galleries/a%2Fb", nil},
		{400, "InvalidParameter", "GET", group + "/providers/Microsoft.Compute/galleries/a%00b", nil},
		{404, "ResourceNotFound", "PATCH", gal + "/images/none", map[string]any{}},
		{404, "ResourceNotFound", "GET", gal + "/images/none/versions/1.0.0", nil},
	} {
		a.want(test.status, test.code, test.method, test.path, test.body)
	}
	if r := a.do("PATCH", gal, map[string]any{}, "If-Match", "nonsense here"); r.status != 400 {
		t.Errorf("a malformed If-Match: %d %s", r.status, r.raw)
	}
	if r := a.want(200, "", "GET", "/%2Fsubscriptions%2F"+strings.TrimPrefix(sub, "/subscriptions/")+"/resourcegroups/RG?api-version=2021-04-01", nil); r.body["name"] != "rg" {
		t.Errorf("an encoded scope: %s", r.raw)
	}
}

// TestApplications publishes a package by the command line and by a link, and pulls both in another region.
func TestApplications(t *testing.T) {
	packages := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/agent.tgz" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("ETag", `"one"`)
		http.ServeContent(w, r, "", time.Unix(1e9, 0), strings.NewReader(strings.Repeat("a package ", 50_000)+"!"))
	}))
	t.Cleanup(packages.Close)
	s := federateWith(t, []string{"a", "b", "c"}, nil, fmt.Sprintf("imports: {allow: ['%s'], networks: ['127.0.0.0/8']}\n", packages.URL))
	for line := range strings.Lines(s.ok(t, "acl", "bootstrap")) {
		if name, value, ok := strings.Cut(strings.TrimSpace(strings.TrimPrefix(line, "export ")), "="); ok {
			s.vars[name] = strings.Trim(value, "'")
		}
	}
	dir := t.TempDir()
	pack, config := filepath.Join(dir, "pack"), filepath.Join(dir, "config")
	write := func(path, text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(pack, strings.Repeat("not a disk image, and of an odd length\n", 1001))
	write(config, "key: value\n")

	t.Run("by the command line", func(t *testing.T) {
		s.ok(t, "app", "publish", pack, "tools/agent/1.0.0", "--config", config, "--install", "i", "--remove", "r", "--regions", "a,b")
		out, cfg := filepath.Join(dir, "out"), filepath.Join(dir, "cfg")
		s.at("b").ok(t, "app", "pull", "tools/agent/latest", "-o", out)
		s.at("b").ok(t, "app", "pull", "tools/agent/1.0.0", "-o", cfg, "--config")
		same(t, pack, out)
		same(t, config, cfg)
		if got := s.ok(t, "status", "tools/@agent/1.0.0"); !strings.Contains(got, "Completed") {
			t.Errorf("status: %s", got)
		}
		s.fails(t, 5, nil, "app", "delete", "tools/agent")
	})

	a := newARM(t, &s.cluster, "a")
	gal := "/subscriptions/" + s.vars["LOGGIA_SUBSCRIPTION"] + "/resourceGroups/default/providers/Microsoft.Compute/galleries/tools"
	version := func(link string) map[string]any {
		return map[string]any{"location": "a", "properties": map[string]any{"publishingProfile": map[string]any{"source": map[string]any{"mediaLink": link},
			"manageActions": map[string]any{"install": "i", "remove": "r"}, "targetRegions": []any{map[string]any{"name": "a"}, map[string]any{"name": "b"}}}}}
	}
	t.Run("by a link", func(t *testing.T) {
		a := a.on(t)
		made := a.want(201, "", "PUT", gal+"/applications/agent/versions/2.0.0", version(packages.URL+"/agent.tgz?sig=secret"))
		if made.at("properties.provisioningState") != "Creating" {
			t.Errorf("a version that is being fetched: %s", made.raw)
		}
		if op := a.wait(made); op["status"] != "Succeeded" {
			t.Fatalf("operation: %v", op)
		}
		out := filepath.Join(dir, "linked")
		s.at("b").ok(t, "app", "pull", "tools/agent/2.0.0", "-o", out)
		b, err := os.ReadFile(out)
		if err != nil || string(b) != strings.Repeat("a package ", 50_000)+"!" {
			t.Errorf("%d bytes, %v", len(b), err)
		}
	})

	t.Run("links that lead nowhere", func(t *testing.T) {
		for i, test := range []struct{ link, reason string }{
			{packages.URL + "/none", "SourceMissing"}, {"https://169.254.169.254/latest/meta-data", "SourceForbidden"}, {"http://127.0.0.1:1/x", "SourceForbidden"},
		} {
			a := a.on(t)
			at := fmt.Sprintf("%s/applications/agent/versions/3.0.%d", gal, i)
			op := a.wait(a.want(201, "", "PUT", at, version(test.link)))
			if text := fmt.Sprint(op); op["status"] != "Failed" || !strings.Contains(text, test.reason) {
				t.Errorf("%s: %s", test.link, text)
			}
			if r := a.want(200, "", "GET", at, nil); r.at("properties.provisioningState") != "Failed" {
				t.Errorf("%s: %s", test.link, r.raw)
			}
			// The same write with a source that is there heals it.
			a.wait(a.want(202, "", "DELETE", at, nil))
		}
		a.want(400, "InvalidParameter", "PUT", gal+"/applications/agent/versions/4.0.0", version("file:///etc/passwd"))
	})
}

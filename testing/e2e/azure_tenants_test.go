package e2e

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"loggia/api/v1"
)

// TestAzureTenants shows two organisations in one cluster: what one cannot learn of the other, a guest, and a version that is made of another
// tenant's, as a copy of its own.
func TestAzureTenants(t *testing.T) {
	c := develop(t, "a,b")
	a := newARM(t, c, "a")
	other := read[v1.Tenant](t, c.user, "acl", "tenant", "create", "Other")
	subscription := read[v1.Subscription](t, c.user, "acl", "subscription", "create", "Theirs", "--tenant", other.ID)
	guest := read[program](t, c.user, "acl", "principal", "create", "guest", "--tenant", other.ID)
	theirs, ours := "/subscriptions/"+subscription.ID, "/subscriptions/"+c.vars["LOGGIA_SUBSCRIPTION"]
	operator := a.on(t)
	operator.token = c.vars["LOGGIA_TOKEN"]
	owner := "00000000-0000-4000-8000-0000000000aa"
	operator.want(201, "", "PUT", theirs+"/providers/Microsoft.Authorization/roleAssignments/"+owner, map[string]any{"properties": map[string]any{
		"roleDefinitionId": "/x/8e3af657-a8ff-443c-a75c-2fe8c4bcb635", "principalId": guest.ID}})
	g := a.as(t, guest)

	definition := map[string]any{"location": "a", "properties": map[string]any{"osType": "Linux", "osState": "Generalized", "identifier": map[string]any{"publisher": "p", "offer": "o", "sku": "s"}}}
	image1 := func(w *arm, sub string) string {
		group := sub + "/resourceGroups/rg"
		gal := group + "/providers/Microsoft.Compute/galleries/g"
		w.want(201, "", "PUT", group, map[string]any{"location": "a"})
		w.want(201, "", "PUT", gal, map[string]any{"location": "a"})
		w.want(201, "", "PUT", gal+"/images/i", definition)
		return gal + "/images/i"
	}
	img, mine := image1(a, ours), image1(g, theirs)
	raw := image(t, filepath.Join(t.TempDir(), "disk.raw"), 6, 11)
	c.ok(t, "upload", raw, "--name", "snap", "--resource-group", "rg")
	a.wait(a.want(201, "", "PUT", img+"/versions/1.0.0", map[string]any{"location": "a", "properties": map[string]any{"storageProfile": map[string]any{
		"osDiskImage": map[string]any{"source": map[string]any{"id": ours + "/resourceGroups/rg/providers/Microsoft.Compute/snapshots/snap"}}}}}))
	source := map[string]any{"location": "a", "properties": map[string]any{"publishingProfile": map[string]any{"targetRegions": []any{map[string]any{"name": "a"}, map[string]any{"name": "b"}}},
		"storageProfile": map[string]any{"source": map[string]any{"id": img + "/versions/1.0.0"}}}}

	t.Run("nothing is learnt", func(t *testing.T) {
		g := g.on(t)
		there := g.want(404, "SubscriptionNotFound", "GET", img, nil)
		not := g.want(404, "SubscriptionNotFound", "GET", "/subscriptions/00000000-0000-4000-8000-000000000000/resourceGroups/rg/providers/Microsoft.Compute/galleries/g/images/i", nil)
		if len(there.raw)-len(not.raw) != 0 {
			t.Errorf("there: %s\nnot: %s", there.raw, not.raw)
		}
		g.want(404, "NotFound", "PUT", mine+"/versions/1.0.0", source)
		if r := g.want(200, "", "GET", "/subscriptions", nil); len(r.body["value"].([]any)) != 1 {
			t.Errorf("subscriptions: %s", r.raw)
		}
		a := a.on(t)
		a.want(404, "SubscriptionNotFound", "GET", mine, nil)
	})

	t.Run("a guest makes a copy", func(t *testing.T) {
		a.on(t).grant(img, "Image Reader", guest.ID)
		g := g.on(t)
		g.want(200, "", "GET", img+"/versions/1.0.0", nil)
		g.want(403, "AuthorizationFailed", "GET", ours+"/resourceGroups/rg", nil)
		op := g.wait(g.want(201, "", "PUT", mine+"/versions/1.0.0", source))
		if op["status"] != "Succeeded" {
			t.Fatalf("operation: %v", op)
		}
		v := g.want(200, "", "GET", mine+"/versions/1.0.0?api-version="+armVersion+"&$expand=ReplicationStatus", nil)
		if v.at("properties.replicationStatus.aggregatedState") != "Completed" {
			t.Errorf("the copy: %s", v.raw)
		}
		// It is a copy: the source may go.
		a := a.on(t)
		a.wait(a.want(202, "", "DELETE", img+"/versions/1.0.0", nil))
		s := g.want(200, "", "PUT", theirs+"/resourceGroups/rg/providers/Microsoft.Compute/snapshots/back", map[string]any{"location": "a", "properties": map[string]any{
			"creationData": map[string]any{"createOption": "Copy", "sourceResourceId": mine + "/versions/1.0.0"}}})
		g.wait(s)
		link := g.want(200, "", "POST", theirs+"/resourceGroups/rg/providers/Microsoft.Compute/snapshots/back/beginGetAccess", map[string]any{"access": "Read", "durationInSeconds": 600})
		resp, err := g.http.Get(link.body["accessSAS"].(string) + "?format=raw")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		holds(t, resp.Body, raw)
	})
}

// holds compares a stream with a file.
func holds(t *testing.T, got io.Reader, file string) {
	t.Helper()
	out := filepath.Join(t.TempDir(), "stream")
	f, err := os.Create(out)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(f, got); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	same(t, file, out)
}

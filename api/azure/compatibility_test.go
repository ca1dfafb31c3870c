package azure

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"loggia/api/azure/schema"
)

// azureOperations are those of Azure's gallery API and of what stands around it, as its clients know them, with what differs here. The test
// holds the column "here" against the router's table.
var azureOperations = []struct{ method, path, note string }{
	{"GET", subPath + "/providers/Microsoft.Compute/galleries", ""},
	{"GET", groupPath + "/providers/Microsoft.Compute/galleries", ""},
	{"GET", galleryPath, "`$select=Permissions`, `$expand=SharingProfile/Groups`"},
	{"PUT", galleryPath, ""},
	{"PATCH", galleryPath, ""},
	{"DELETE", galleryPath, "done when it is answered"},
	{"POST", galleryPath + "/share", ""},
	{"GET", galleryPath + "/images", ""},
	{"GET", galleryPath + "/images/{image}", ""},
	{"PUT", galleryPath + "/images/{image}", ""},
	{"PATCH", galleryPath + "/images/{image}", ""},
	{"DELETE", galleryPath + "/images/{image}", "done when it is answered"},
	{"GET", galleryPath + "/images/{image}/versions", "numeric order"},
	{"GET", galleryPath + "/images/{image}/versions/{version}", "`$expand=ReplicationStatus` tells every replica"},
	{"PUT", galleryPath + "/images/{image}/versions/{version}", "the operation succeeds when every region is Completed, never before"},
	{"PATCH", galleryPath + "/images/{image}/versions/{version}", ""},
	{"DELETE", galleryPath + "/images/{image}/versions/{version}", "unreadable at once, everywhere that the leader reaches"},
	{"GET", galleryPath + "/applications", ""},
	{"GET", galleryPath + "/applications/{image}", ""},
	{"PUT", galleryPath + "/applications/{image}", ""},
	{"PATCH", galleryPath + "/applications/{image}", ""},
	{"DELETE", galleryPath + "/applications/{image}", ""},
	{"GET", galleryPath + "/applications/{image}/versions", ""},
	{"GET", galleryPath + "/applications/{image}/versions/{version}", "`$expand=ReplicationStatus`"},
	{"PUT", galleryPath + "/applications/{image}/versions/{version}", "packages are fetched once, and replicated like disks"},
	{"PATCH", galleryPath + "/applications/{image}/versions/{version}", ""},
	{"DELETE", galleryPath + "/applications/{image}/versions/{version}", ""},
	{"GET", subPath + "/providers/Microsoft.Compute/locations/{location}/capsOperations/{operation}", "any node answers; `percentComplete`, `details` and the regions as they are"},
	{"GET", galleryPath + "/softDeletedArtifactTypes/{type}/artifacts/{name}/versions", ""},
	{"PUT", galleryPath + "/inVMAccessControlProfiles/{profile}", ""},
	{"PUT", galleryPath + "/scripts/{name}", ""},
	{"GET", subPath + "/providers/Microsoft.Compute/locations/{location}/sharedGalleries", ""},
	{"GET", subPath + "/providers/Microsoft.Compute/locations/{location}/communityGalleries/{name}", ""},
	{"GET", subPath + "/providers/Microsoft.Compute/locations/{location}/usages", ""},
	{"GET", subPath + "/providers/Microsoft.Compute/snapshots", ""},
	{"GET", groupPath + "/providers/Microsoft.Compute/snapshots", ""},
	{"GET", snapshotPath, ""},
	{"PUT", snapshotPath, "Import and Copy; bytes are uploaded with `loggia upload`"},
	{"PATCH", snapshotPath, ""},
	{"DELETE", snapshotPath, ""},
	{"POST", snapshotPath + "/beginGetAccess", "a link to a fixed VHD, raw with `format=raw`; answered at once"},
	{"POST", snapshotPath + "/endGetAccess", ""},
	{"GET", authority + "/roleAssignments", "`atScope()`, `principalId eq`, `assignedTo()`"},
	{"GET", authority + "/roleAssignments/{id}", ""},
	{"PUT", authority + "/roleAssignments/{id}", ""},
	{"DELETE", authority + "/roleAssignments/{id}", ""},
	{"GET", authority + "/roleDefinitions", "`roleName eq`, `type eq`"},
	{"GET", authority + "/roleDefinitions/{id}", ""},
	{"PUT", authority + "/roleDefinitions/{id}", "custom roles"},
	{"DELETE", authority + "/roleDefinitions/{id}", ""},
	{"GET", authority + "/permissions", ""},
	{"PUT", authority + "/locks/{name}", ""},
	{"GET", subPath + "/providers/Microsoft.Insights/eventtypes/management/values", ""},
	{"GET", subPath + "/resourceGroups", ""},
	{"GET", groupPath, ""},
	{"HEAD", groupPath, ""},
	{"PUT", groupPath, ""},
	{"PATCH", groupPath, ""},
	{"DELETE", groupPath, "cascades"},
	{"GET", subPath + "/resources", "`$filter` by name, type, group, location, tag"},
	{"GET", groupPath + "/resources", ""},
	{"PUT", groupPath + "/providers/Microsoft.Resources/deployments/{deployment}", ""},
	{"GET", tagsPath, ""},
	{"PUT", tagsPath, ""},
	{"PATCH", tagsPath, "Merge, Replace, Delete"},
	{"DELETE", tagsPath, ""},
	{"GET", "/subscriptions", "those in which the caller has a right"},
	{"GET", subPath, ""},
	{"GET", subPath + "/locations", ""},
	{"GET", "/tenants", ""},
	{"GET", subPath + "/providers", ""},
	{"GET", subPath + "/providers/{namespace}", ""},
	{"POST", subPath + "/providers/{namespace}/register", "everything is registered"},
}

// operationsTable writes the operations part of the page of compatibility.
func operationsTable(t *testing.T) string {
	served := map[string]bool{}
	for _, r := range (&handler{}).routes() {
		served[r.method+" "+r.path] = true
	}
	var b strings.Builder
	b.WriteString("## Operations\n\n| operation | here | note |\n|---|---|---|\n")
	for _, op := range azureOperations {
		here := "not yet"
		if served[op.method+" "+op.path] {
			here = "same"
		}
		delete(served, op.method+" "+op.path)
		fmt.Fprintf(&b, "| %s `%s` | %s | %s |\n", op.method, op.path, here, op.note)
	}
	for left := range served {
		t.Errorf("%s is served and not in the list of operations", left)
	}
	return b.String()
}

const preface = `# Azure compatibility

What Azure's clients find here. This page is written by a test from the tables that serve them; it fails when the page is not what they say
(` + "`LOGGIA_GOLDEN=new go test ./api/azure`" + ` writes it anew).

*Same* means: the answers that the stock clients expect, tested with them (` + "`make test-clients`" + `). *Not yet* is answered 404.

`

func TestCompatibilityPage(t *testing.T) {
	want := preface + operationsTable(t) + fieldsTable()
	file := filepath.Join("..", "..", "docs", "azure-compatibility.md")
	if os.Getenv("LOGGIA_GOLDEN") == "new" {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil || string(got) != want {
		t.Errorf("docs/azure-compatibility.md is not what the tables say (%v); LOGGIA_GOLDEN=new go test ./api/azure writes it anew", err)
	}
}

func fieldsTable() string { return schema.Page() }

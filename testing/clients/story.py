"""The life of a gallery with Azure's SDK for Python as Debian ships it, unmodified."""
import json, os, sys, time, urllib.parse, urllib.request, ssl

from azure.core.credentials import AccessToken
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.mgmt.compute import ComputeManagementClient
from azure.mgmt.resource import ResourceManagementClient

E = os.environ
BASE, SUB, REGIONS = E["LOGGIA_ADDRESS"], E["LOGGIA_SUBSCRIPTION"], E["STORY_REGIONS"].split(",")
RG, GAL = "rg-py", "gal_py"


class Secret:
    def get_token(self, *scopes, **_):
        form = urllib.parse.urlencode({"grant_type": "client_credentials", "client_id": E["LOGGIA_CLIENT_ID"], "client_secret": E["LOGGIA_CLIENT_SECRET"], "scope": scopes[0]})
        ctx = ssl.create_default_context(cafile=E["LOGGIA_CACERT"])
        with urllib.request.urlopen(f"{BASE}/{E['LOGGIA_TENANT']}/oauth2/v2.0/token", form.encode(), context=ctx) as r:
            t = json.load(r)
        return AccessToken(t["access_token"], int(time.time()) + int(t["expires_in"]))


def step(name, f):
    began = time.time()
    try:
        f()
    except Exception as e:
        sys.exit(f"python: {name}: {type(e).__name__}: {e}")
    print(f"  {name:60} {time.time() - began:5.2f} s", flush=True)


def refused(status, code, f):
    try:
        f()
    except HttpResponseError as e:
        got = (e.status_code, e.error.code if e.error else None)
        assert got == (status, code), f"got {got}, want {(status, code)}"
        return
    raise AssertionError(f"not refused, want {status} {code}")


scopes = dict(base_url=BASE, credential_scopes=[BASE + "/.default"])
c = ComputeManagementClient(Secret(), SUB, polling_interval=1, **scopes)
r = ResourceManagementClient(Secret(), SUB, **scopes)


if sys.argv[1:] == ["poll"]:  # one version, awaited by the SDK's own poller, whatever happens meanwhile
    wait = c.gallery_image_versions.begin_create_or_update(E["STORY_GROUP"], E["STORY_GALLERY"], E["STORY_IMAGE"], E["STORY_VERSION"], {
        "location": REGIONS[0], "storage_profile": {"os_disk_image": {"source": {"id": E["STORY_SNAPSHOT"]}}},
        "publishing_profile": {"target_regions": [{"name": r} for r in REGIONS]}})
    print("polling", flush=True)
    print(wait.result().provisioning_state)
    sys.exit()


def groups():
    assert not r.resource_groups.check_existence(RG)
    r.resource_groups.create_or_update(RG, {"location": REGIONS[0]})
    assert r.resource_groups.check_existence(RG)


def gallery():
    c.galleries.begin_create_or_update(RG, GAL, {"location": REGIONS[0]}).result()
    g = c.galleries.begin_update(RG, GAL, {"tags": {"a": "b"}}).result()
    assert g.tags == {"a": "b"}, g.tags


def image():
    c.gallery_images.begin_create_or_update(RG, GAL, "debian", {"location": REGIONS[0], "os_type": "Linux", "os_state": "Generalized",
                                            "identifier": {"publisher": "p", "offer": "o", "sku": "s"}}).result()


def version():
    v = c.gallery_image_versions.begin_create_or_update(RG, GAL, "debian", "1.0.0", {
        "location": REGIONS[0], "storage_profile": {"os_disk_image": {"source": {"id": E["STORY_SNAPSHOT"]}}},
        "publishing_profile": {"target_regions": [{"name": REGIONS[0], "regional_replica_count": 2}, {"name": REGIONS[1]}]}}).result()
    assert v.provisioning_state == "Succeeded", v.provisioning_state


def status():
    v = c.gallery_image_versions.get(RG, GAL, "debian", "1.0.0", expand="ReplicationStatus")
    assert v.replication_status.aggregated_state == "Completed" and len(v.replication_status.summary) == 2, v.replication_status


def update():
    v = c.gallery_image_versions.begin_update(RG, GAL, "debian", "1.0.0", {"publishing_profile": {"exclude_from_latest": True, "target_regions": [
        {"name": REGIONS[0], "regional_replica_count": 2}, {"name": REGIONS[1]}, {"name": REGIONS[2]}]}, "storage_profile": {}}).result()
    assert len(v.publishing_profile.target_regions) == 3 and v.publishing_profile.exclude_from_latest


def application():
    c.gallery_applications.begin_create_or_update(RG, GAL, "agent", {"location": REGIONS[0], "supported_os_type": "Linux"}).result()
    c.gallery_application_versions.begin_create_or_update(RG, GAL, "agent", "1.0.0", {"location": REGIONS[0], "publishing_profile": {
        "source": {"media_link": E["STORY_PACKAGE"]}, "manage_actions": {"install": "i", "remove": "r"}, "target_regions": [{"name": REGIONS[0]}]}}).result()


def snapshots():
    s = c.snapshots.begin_create_or_update(RG, "copy", {"location": REGIONS[0], "creation_data": {"create_option": "Copy", "source_resource_id": E["STORY_SNAPSHOT"]}}).result()
    assert s.provisioning_state == "Succeeded", s.provisioning_state
    link = c.snapshots.begin_grant_access(RG, "copy", {"access": "Read", "duration_in_seconds": 600}).result()
    assert link.access_sas.startswith(BASE), link.access_sas
    ctx = ssl.create_default_context(cafile=E["LOGGIA_CACERT"])
    req = urllib.request.Request(link.access_sas, method="HEAD")
    with urllib.request.urlopen(req, context=ctx) as a:
        assert int(a.headers["Content-Length"]) % 512 == 0
    c.snapshots.begin_revoke_access(RG, "copy").result()
    try:
        urllib.request.urlopen(req, context=ctx)
    except urllib.error.HTTPError as e:
        assert e.code == 403, e.code
    else:
        raise AssertionError("a link that was taken back still opens")
    c.snapshots.begin_delete(RG, "copy").result()


def pages():
    assert len({s.name for s in c.snapshots.list_by_resource_group("rg-pages")}) == int(E["STORY_PAGED"])


def wrong():
    refused(409, "CannotDeleteResource", lambda: c.galleries.begin_delete(RG, GAL))
    refused(409, "CannotDeleteResource", lambda: c.gallery_images.begin_delete(RG, GAL, "debian"))


def right():
    c.gallery_image_versions.begin_delete(RG, GAL, "debian", "1.0.0").result()
    c.gallery_application_versions.begin_delete(RG, GAL, "agent", "1.0.0").result()
    c.gallery_applications.begin_delete(RG, GAL, "agent").result()
    c.gallery_images.begin_delete(RG, GAL, "debian").result()
    c.galleries.begin_delete(RG, GAL).result()
    refused(404, "ResourceNotFound", lambda: c.galleries.get(RG, GAL))
    r.resource_groups.begin_delete(RG).result()


for name, f in [("resource group", groups), ("gallery", gallery), ("image definition", image), ("version from a snapshot, two regions", version),
                ("replication status", status), ("another region, excluded from latest", update), ("application and its version", application),
                ("snapshot: copy, grant and revoke access, delete", snapshots), ("a list of two pages", pages),
                ("deleted in the wrong order: refused", wrong), ("deleted in the right order", right)]:
    step(name, f)

"""The Azure CLI as Debian ships it, unmodified: each command as a person types it, run inside one process."""
import io, json, os, shlex, subprocess, sys, tempfile, time

if sys.argv[1:] == ["poll"]:  # the one who polls asks another node than the rest, so has a configuration of its own
    os.environ["AZURE_CONFIG_DIR"] = tempfile.mkdtemp(dir=os.environ["STORY_DIR"])

from azure.cli.core import get_default_cli

E = os.environ
BASE, SUB, REGIONS = E["LOGGIA_ADDRESS"], E["LOGGIA_SUBSCRIPTION"], E["STORY_REGIONS"].split(",")
A, B, C = REGIONS
RG, GAL = "rg-az", "gal_az"
NEWEST = "2025-12-03"


class Refused(Exception):
    pass


def az(line):
    """Runs a command and returns what it printed, as JSON where it is JSON."""
    out, err, real = io.StringIO(), io.StringIO(), sys.stderr
    cli = get_default_cli()
    sys.stderr = err
    try:
        code = cli.invoke(shlex.split(line) + ["-o", "json"], out_file=out)
    except SystemExit as e:
        code = e.code or 0
    finally:
        sys.stderr = real
    failure = cli.result.error if cli.result else None
    if code or failure:
        raise Refused(f"{line}: {code} {failure} {err.getvalue()}"[:4000])
    text = out.getvalue().strip()
    try:
        return json.loads(text) if text else None
    except ValueError:
        return text


def step(name, f):
    began = time.time()
    try:
        f()
    except BaseException as e:
        sys.exit(f"az: {name}: {type(e).__name__}: {e}")
    print(f"  {name:60} {time.time() - began:5.2f} s", flush=True)


def refused(code, line):
    try:
        az(line)
    except Refused as e:
        assert code in str(e), f"want {code}: {e}"
        return
    raise AssertionError(f"{line}: not refused, want {code}")


def rest(path):
    return az(f"rest --method get --url '{BASE}{path}?api-version={NEWEST}'")


def id_of(tail):
    return f"/subscriptions/{SUB}/resourceGroups/{RG}/providers/Microsoft.Compute/galleries/{GAL}{tail}"


def patch(path, body):
    """Writes what the CLI's own commands do not know, at the newest api-version."""
    return az(f"rest --method patch --url '{BASE}{path}?api-version={NEWEST}' --body '{json.dumps(body)}'")


def unchanged(path, line, *paths, must=None):
    """Runs an update and holds the whole resource, at the newest api-version, against what it was: only what lies at paths may differ, and
    it must differ. must looks at the result."""
    before = rest(path)
    az(line)
    after = rest(path)
    assert before["systemData"] != after["systemData"] if "systemData" in before else True, f"{line}: nothing was written"
    if must:
        must(after["properties"])
    for t in (before, after):
        for p in paths + ("systemData",):
            o, names = t, p.split(".")
            for n in names[:-1]:
                o = o.get(n, {})
            o.pop(names[-1], None)
    assert before == after, f"{line}: something else changed:\n{json.dumps(before, sort_keys=True)}\n{json.dumps(after, sort_keys=True)}"


def login():
    az(f"cloud register -n loggia --endpoint-resource-manager {BASE}")
    az("cloud set -n loggia")
    az(f"login --service-principal -u {E['LOGGIA_CLIENT_ID']} -p {E['LOGGIA_CLIENT_SECRET']} --tenant adfs")
    assert az("account show")["id"] == SUB
    assert SUB in [x["id"] for x in az("account list --refresh")]
    assert {x["name"] for x in az("account list-locations")} >= set(REGIONS)
    assert az("provider show -n Microsoft.Compute")["registrationState"] == "Registered"
    az("provider register -n Microsoft.Compute")
    assert "Microsoft.Resources" in [x["namespace"] for x in az("provider list")]


def groups():
    assert az(f"group exists -n {RG}") is False
    az(f"group create -n {RG} -l {A} --tags az=b")
    assert az(f"group exists -n {RG}") is True
    assert RG in [g["name"] for g in az("group list")]
    assert [g["name"] for g in az("group list --tag az=b")] == [RG]
    az(f"group update -n {RG} --set tags.c=d")
    assert az(f"group show -n {RG}")["tags"] == {"az": "b", "c": "d"}


def gallery():
    az(f"sig create -g {RG} -r {GAL} --description one --tags k=v")
    # What the CLI's api-version (2021-10-01) does not know. A gallery has no list that --add could lengthen.
    patch(id_of(""), {"identity": {"type": "SystemAssigned"}, "properties": {"softDeletePolicy": {"isSoftDeleteEnabled": False}}})
    assert rest(id_of(""))["identity"] == {"type": "SystemAssigned"}
    unchanged(id_of(""), f"sig update -g {RG} -r {GAL} --set description=two", "properties.description")
    unchanged(id_of(""), f"sig update -g {RG} -r {GAL} --set tags.x=y", "tags")
    assert rest(id_of(""))["tags"] == {"k": "v", "x": "y"}
    unchanged(id_of(""), f"sig update -g {RG} -r {GAL} --remove tags.x", "tags")
    assert rest(id_of(""))["tags"] == {"k": "v"}
    unchanged(id_of(""), f"sig update -g {RG} -r {GAL} --soft-delete true", "properties.softDeletePolicy.isSoftDeleteEnabled")
    assert az(f"sig show -g {RG} -r {GAL}")["description"] == "two"
    assert len(az(f"sig list -g {RG}")) == 1
    refused("InvalidResourceName", f"sig create -g {RG} -r gal-az")


def definition():
    az(f"sig image-definition create -g {RG} -r {GAL} -i debian --os-type Linux --os-state Generalized -p p -f o -s s --hyper-v-generation V2 --features SecurityType=TrustedLaunch")
    at, line = id_of("/images/debian"), f"sig image-definition update -g {RG} -r {GAL} -i debian"
    known = {"name": "SecurityType", "value": "TrustedLaunch", "startsAtVersion": "1.0.0"}
    patch(at, {"properties": {"allowUpdateImage": True, "features": [known]}})
    unchanged(at, f"{line} --set description=d", "properties.description")
    unchanged(at, f"{line} --add disallowed.diskTypes Standard_LRS --set disallowed={{}}", "properties.disallowed")
    unchanged(at, f"{line} --add features name=IsHibernateSupported value=True", "properties.features",
              must=lambda p: eq(p["features"], [known, {"name": "IsHibernateSupported", "value": "True"}]))
    unchanged(at, f"{line} --remove features 1", "properties.features", must=lambda p: eq(p["features"], [known]))
    unchanged(at, f"{line} --remove description", "properties.description", must=lambda p: eq(p.get("description"), None))
    assert rest(at)["properties"]["allowUpdateImage"] is True
    assert az(f"sig image-definition show -g {RG} -r {GAL} -i debian")["osState"] == "Generalized"
    assert len(az(f"sig image-definition list -g {RG} -r {GAL}")) == 1


def eq(got, want):
    assert got == want, f"got {got}, want {want}"


def snapshots():
    s = az(f"snapshot create -g {RG} -n snap2 -l {A} --source {E['STORY_SNAPSHOT']}")
    assert s["provisioningState"] == "Succeeded", s
    assert az(f"snapshot show -g {RG} -n snap2")["diskSizeBytes"] > 0
    at = f"/subscriptions/{SUB}/resourceGroups/{RG}/providers/Microsoft.Compute/snapshots/snap2"
    unchanged(at, f"snapshot update -g {RG} -n snap2 --set tags.a=b", "tags")
    assert [x["name"] for x in az(f"snapshot list -g {RG}")] == ["snap2"]
    link = az(f"snapshot grant-access -g {RG} -n snap2 --duration-in-seconds 3600")
    assert link["accessSas"].startswith(BASE), link
    az(f"snapshot revoke-access -g {RG} -n snap2")
    # From a link, without waiting in the command itself.
    az(f"snapshot create -g {RG} -n fetched -l {A} --source {E['STORY_VHD']} --no-wait")
    az(f"snapshot wait -g {RG} -n fetched --created --interval 1 --timeout 120")
    assert az(f"snapshot show -g {RG} -n fetched")["diskSizeBytes"] == s["diskSizeBytes"]
    az(f"snapshot delete -g {RG} -n fetched")
    az(f"snapshot wait -g {RG} -n fetched --deleted --interval 1 --timeout 120")
    assert len(az("snapshot list -g rg-pages")) == int(E["STORY_PAGED"])  # two pages


def version():
    snap = f"/subscriptions/{SUB}/resourceGroups/{RG}/providers/Microsoft.Compute/snapshots/snap2"
    az(f"sig image-version create -g {RG} -r {GAL} -i debian -e 1.0.0 --os-snapshot {snap} --target-regions {A}=2=standard_lrs {B}=1 --no-wait")
    az(f"sig image-version wait -g {RG} -r {GAL} -i debian -e 1.0.0 --created --interval 1 --timeout 120")
    v = az(f"sig image-version show -g {RG} -r {GAL} -i debian -e 1.0.0 --expand ReplicationStatus")
    assert v["provisioningState"] == "Succeeded" and v["replicationStatus"]["aggregatedState"] == "Completed", v
    at, line = id_of("/images/debian/versions/1.0.0"), f"sig image-version update -g {RG} -r {GAL} -i debian -e 1.0.0"
    patch(at, {"properties": {"safetyProfile": {"blockDeletionBeforeEndOfLife": True},
                              "securityProfile": {"uefiSettings": {"signatureTemplateNames": ["MicrosoftUefiCertificateAuthorityTemplate"]}},
                              "publishingProfile": {"endOfLifeDate": "2099-01-01", "targetRegions": [
                                  {"name": A, "regionalReplicaCount": 2, "additionalReplicaSets": [{"regionalReplicaCount": 1}]}, {"name": B}]}}})
    assert rest(at)["properties"]["securityProfile"] and rest(at)["properties"]["safetyProfile"]["blockDeletionBeforeEndOfLife"]
    unchanged(at, f"{line} --set publishingProfile.excludeFromLatest=true", "properties.publishingProfile.excludeFromLatest")
    regions = "properties.publishingProfile.targetRegions"
    before = rest(at)["properties"]["publishingProfile"]["targetRegions"]
    unchanged(at, f"{line} --add publishingProfile.targetRegions name={C}", regions, must=lambda p: (
        eq(p["publishingProfile"]["targetRegions"][:2], before), eq([t["name"] for t in p["publishingProfile"]["targetRegions"]], [A, B, C])))
    az(f"sig image-version wait -g {RG} -r {GAL} -i debian -e 1.0.0 --updated --interval 1 --timeout 120")
    refused("OperationNotAllowed", f"{line} --remove publishingProfile.targetRegions 2")
    unchanged(at, f"{line} --allow-replicated-location-deletion true", "properties.safetyProfile.allowDeletionOfReplicatedLocations")
    unchanged(at, f"{line} --remove publishingProfile.targetRegions 2", regions, must=lambda p: eq(p["publishingProfile"]["targetRegions"], before))
    unchanged(at, f"{line} --target-regions {A}=1 {B}=2 --no-wait", regions, "properties.provisioningState", must=lambda p: eq(
        [t["regionalReplicaCount"] for t in p["publishingProfile"]["targetRegions"]], [1, 2]))
    az(f"sig image-version wait -g {RG} -r {GAL} -i debian -e 1.0.0 --updated --interval 1 --timeout 120")
    one = f"-g {RG} -r {GAL} -i debian -e 1.0.1"
    v = az(f"sig image-version create {one} --os-snapshot {snap} --replication-mode Shallow")
    eq([v["provisioningState"], v["publishingProfile"]["replicationMode"], len(v["publishingProfile"]["targetRegions"])], ["Succeeded", "Shallow", 1])
    refused("InvalidParameter", f"sig image-version update {one} --add publishingProfile.targetRegions name={C}")
    az(f"sig image-version delete {one}")
    assert len(az(f"sig image-version list -g {RG} -r {GAL} -i debian")) == 1


def application():
    app, of = f"-g {RG} -r {GAL} -n agent", f"-g {RG} -r {GAL} --application-name agent -n 1.0.0"
    az(f"sig gallery-application create {app} --os-type Linux -l {A} --no-wait")
    az(f"sig gallery-application wait {app} --exists --interval 1 --timeout 60")
    at = id_of("/applications/agent")
    action = [{"name": "check", "script": "c"}]
    patch(at, {"properties": {"customActions": action, "eula": "e"}})
    unchanged(at, f"sig gallery-application update {app} -l {A} --description d", "properties.description", must=lambda p: eq(p["customActions"], action))
    unchanged(at, f"sig gallery-application update {app} -l {A} --tags a=b", "tags", must=lambda p: eq(p["description"], "d"))
    assert az(f"sig gallery-application show {app}")["tags"] == {"a": "b"}
    assert len(az(f"sig gallery-application list -g {RG} -r {GAL}")) == 1
    link = f"--package-file-link {E['STORY_PACKAGE']}"
    az(f"sig gallery-application version create {of} -l {A} {link} --install-command i --remove-command r --package-file-name agent.tgz --no-wait")
    az(f"sig gallery-application version wait {of} --created --interval 1 --timeout 120")
    at = id_of("/applications/agent/versions/1.0.0")
    patch(at, {"properties": {"publishingProfile": {"customActions": action, "targetRegions": [{"name": A}, {"name": B}]}}})
    az(f"sig gallery-application version wait {of} --updated --interval 1 --timeout 120")
    line, profile = f"sig gallery-application version update {of} -l {A} {link}", "properties.publishingProfile."
    unchanged(at, f"{line} --exclude-from true", profile + "excludeFromLatest", must=lambda p: (
        eq(p["publishingProfile"]["customActions"], action), eq([t["name"] for t in p["publishingProfile"]["targetRegions"]], [A, B]),
        eq(p["publishingProfile"]["manageActions"], {"install": "i", "remove": "r"}), eq(p["publishingProfile"]["settings"]["packageFileName"], "agent.tgz")))
    unchanged(at, f"{line} --exclude-from true --end-of-life-date 2099-01-01T00:00:00Z", profile + "endOfLifeDate")
    v = az(f"sig gallery-application version show {of} --expand ReplicationStatus")
    assert v["replicationStatus"]["aggregatedState"] == "Completed", v
    assert len(az(f"sig gallery-application version list -g {RG} -r {GAL} --application-name agent")) == 1
    az(f"sig gallery-application version delete {of} -y")
    az(f"sig gallery-application delete {app} -y")


def generic():
    assert any(x["type"] == "Microsoft.Compute/galleries" for x in az(f"resource list -g {RG}"))
    assert [x["name"] for x in az(f"resource list --resource-type Microsoft.Compute/galleries --name {GAL}")] == [GAL]
    gal = id_of("")
    assert az(f"resource show --ids {gal}")["name"] == GAL
    az(f"resource tag --ids {gal} --tags k=v")
    assert rest(gal)["tags"] == {"k": "v"}
    assert [x["name"] for x in az("resource list --tag k=v")] == [GAL]
    assert az(f"tag create --resource-id {gal} --tags k=v")["properties"]["tags"] == {"k": "v"}
    az(f"tag update --resource-id {gal} --operation merge --tags m=n")
    assert az(f"tag list --resource-id {gal}")["properties"]["tags"] == {"k": "v", "m": "n"}
    az(f"tag update --resource-id {gal} --operation delete --tags m=n")
    assert rest(gal)["tags"] == {"k": "v"}
    az(f"tag delete --resource-id {gal} -y")
    assert not rest(gal).get("tags")


def wrong():
    refused("CannotDeleteResource", f"sig delete -g {RG} -r {GAL}")
    refused("CannotDeleteResource", f"sig image-definition delete -g {RG} -r {GAL} -i debian")
    refused("DeleteGalleryImageVersionBlockedBeforeEndOfLife", f"sig image-version delete -g {RG} -r {GAL} -i debian -e 1.0.0")
    # The block until the end of life holds only where there is one; it is taken off as a person would.
    patch(id_of("/images/debian/versions/1.0.0"), {"properties": {"safetyProfile": {"blockDeletionBeforeEndOfLife": False}}})


def right():
    az(f"sig image-version delete -g {RG} -r {GAL} -i debian -e 1.0.0")
    az(f"sig image-definition delete -g {RG} -r {GAL} -i debian")
    az(f"sig delete -g {RG} -r {GAL}")
    az(f"snapshot create -g {RG} -n snap3 -l {A} --source snap2")
    az(f"resource delete --ids /subscriptions/{SUB}/resourceGroups/{RG}/providers/Microsoft.Compute/snapshots/snap3")
    az(f"snapshot delete -g {RG} -n snap2")
    refused(": 3 ", f"snapshot show -g {RG} -n snap3")
    refused(": 3 ", f"sig show -g {RG} -r {GAL}")  # what az exits with for ResourceNotFound
    az(f"group delete -n {RG} -y --no-wait")
    az(f"group wait -n {RG} --deleted --interval 1 --timeout 60")
    assert az(f"group exists -n {RG}") is False


def poll():
    """One version, awaited by the CLI's own poller in a process of its own, whatever happens meanwhile."""
    login()
    group, gal, image, version = (E["STORY_" + x] for x in ("GROUP", "GALLERY", "IMAGE", "VERSION"))
    line = (f"/usr/bin/az sig image-version create -g {group} -r {gal} -i {image} -e {version} -l {A} --os-snapshot {E['STORY_SNAPSHOT']} "
            f"--target-regions {' '.join(r + '=1' for r in REGIONS)} -o json")
    p = subprocess.Popen(shlex.split(line), stdout=subprocess.PIPE)
    at = f"/subscriptions/{SUB}/resourceGroups/{group}/providers/Microsoft.Compute/galleries/{gal}/images/{image}/versions/{version}"
    while p.poll() is None:
        try:
            rest(at)
            break
        except Refused:
            time.sleep(0.2)
    print("polling", flush=True)
    out, _ = p.communicate()
    if p.returncode:
        sys.exit(f"az exits with {p.returncode}")
    print(json.loads(out)["provisioningState"])


if sys.argv[1:] == ["poll"]:
    poll()
    sys.exit()


def keep():
    """A version that the rig pulls in another region."""
    az(f"group create -n rg-keep -l {A}")
    az(f"sig create -g rg-keep -r gal_keep")
    az(f"sig image-definition create -g rg-keep -r gal_keep -i debian --os-type Linux --os-state Generalized -p p -f o -s s")
    az(f"sig image-version create -g rg-keep -r gal_keep -i debian -e 1.0.0 --os-snapshot {E['STORY_SNAPSHOT']} --target-regions {A}=1 {B}=1")


steps = [("cloud register, login, account", login), ("group create, exists, list", groups), ("sig create, update, show, list", gallery),
         ("sig image-definition create, update, list", definition), ("snapshot create, update, grant-access, wait, delete", snapshots),
         ("sig image-version create --no-wait, wait, update", version), ("sig gallery-application and version", application),
         ("resource list, show, tag; tag create, update, list, delete", generic), ("deleted in the wrong order: refused", wrong),
         ("deleted in the right order, group delete", right), ("a version to be pulled elsewhere", keep)]
for name, f in steps:
    step(name, f)

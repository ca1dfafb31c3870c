"""The Azure CLI as Debian ships it, unmodified: each command as a person types it, run inside one process."""
import io, json, os, shlex, sys, time

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


def unchanged(path, line, *paths):
    """Runs an update and holds the whole resource, at the newest api-version, against what it was: only what lies at paths may differ."""
    before = rest(path)
    az(line)
    after = rest(path)
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
    assert {x["name"] for x in az("account list-locations")} >= set(REGIONS)


def groups():
    assert az(f"group exists -n {RG}") is False
    az(f"group create -n {RG} -l {A} --tags a=b")
    assert az(f"group exists -n {RG}") is True
    assert RG in [g["name"] for g in az("group list")]


def gallery():
    az(f"sig create -g {RG} -r {GAL} --description one")
    unchanged(id_of(""), f"sig update -g {RG} -r {GAL} --set description=two", "properties.description")
    unchanged(id_of(""), f"sig update -g {RG} -r {GAL} --set tags.x=y", "tags")
    unchanged(id_of(""), f"sig update -g {RG} -r {GAL} --remove tags.x", "tags")
    assert az(f"sig show -g {RG} -r {GAL}")["description"] == "two"
    assert len(az(f"sig list -g {RG}")) == 1
    refused("InvalidResourceName", f"sig create -g {RG} -r gal-az")


def definition():
    az(f"sig image-definition create -g {RG} -r {GAL} -i debian --os-type Linux --os-state Generalized -p p -f o -s s --hyper-v-generation V2 --features SecurityType=TrustedLaunch")
    unchanged(id_of("/images/debian"), f"sig image-definition update -g {RG} -r {GAL} -i debian --set description=d", "properties.description")
    unchanged(id_of("/images/debian"), f"sig image-definition update -g {RG} -r {GAL} -i debian --add disallowed.diskTypes Standard_LRS --set disallowed={{}}", "properties.disallowed")
    unchanged(id_of("/images/debian"), f"sig image-definition update -g {RG} -r {GAL} -i debian --remove description", "properties.description")
    assert "description" not in rest(id_of("/images/debian"))["properties"]
    assert len(az(f"sig image-definition list -g {RG} -r {GAL}")) == 1


def snapshots():
    s = az(f"snapshot create -g {RG} -n snap2 -l {A} --source {E['STORY_SNAPSHOT']}")
    assert s["provisioningState"] == "Succeeded", s
    assert az(f"snapshot show -g {RG} -n snap2")["diskSizeBytes"] > 0
    link = az(f"snapshot grant-access -g {RG} -n snap2 --duration-in-seconds 3600")
    assert link["accessSas"].startswith(BASE), link
    az(f"snapshot revoke-access -g {RG} -n snap2")


def version():
    snap = f"/subscriptions/{SUB}/resourceGroups/{RG}/providers/Microsoft.Compute/snapshots/snap2"
    az(f"sig image-version create -g {RG} -r {GAL} -i debian -e 1.0.0 --os-snapshot {snap} --target-regions {A}=2=standard_lrs {B}=1 --no-wait")
    az(f"sig image-version wait -g {RG} -r {GAL} -i debian -e 1.0.0 --created --interval 1 --timeout 120")
    v = az(f"sig image-version show -g {RG} -r {GAL} -i debian -e 1.0.0 --expand ReplicationStatus")
    assert v["provisioningState"] == "Succeeded" and v["replicationStatus"]["aggregatedState"] == "Completed", v
    at = id_of("/images/debian/versions/1.0.0")
    az(f"rest --method patch --url '{BASE}{at}?api-version={NEWEST}' --body '{{\"properties\":{{\"safetyProfile\":{{\"blockDeletionBeforeEndOfLife\":true}},\"publishingProfile\":{{\"endOfLifeDate\":\"2099-01-01\",\"targetRegions\":[{{\"name\":\"{A}\",\"regionalReplicaCount\":2,\"additionalReplicaSets\":[{{\"regionalReplicaCount\":1}}]}},{{\"name\":\"{B}\"}}]}}}}}}'")
    unchanged(at, f"sig image-version update -g {RG} -r {GAL} -i debian -e 1.0.0 --set publishingProfile.excludeFromLatest=true", "properties.publishingProfile.excludeFromLatest")
    unchanged(at, f"sig image-version update -g {RG} -r {GAL} -i debian -e 1.0.0 --add publishingProfile.targetRegions name={C}", "properties.publishingProfile.targetRegions")
    assert len(rest(at)["properties"]["publishingProfile"]["targetRegions"]) == 3
    refused("OperationNotAllowed", f"sig image-version update -g {RG} -r {GAL} -i debian -e 1.0.0 --remove publishingProfile.targetRegions 2")
    az(f"sig image-version update -g {RG} -r {GAL} -i debian -e 1.0.0 --allow-replicated-location-deletion true")
    az(f"sig image-version update -g {RG} -r {GAL} -i debian -e 1.0.0 --remove publishingProfile.targetRegions 2")
    assert len(az(f"sig image-version list -g {RG} -r {GAL} -i debian")) == 1


def application():
    az(f"sig gallery-application create -g {RG} -r {GAL} -n agent --os-type Linux -l {A}")
    unchanged(id_of("/applications/agent"), f"sig gallery-application update -g {RG} -r {GAL} -n agent -l {A} --description d", "properties.description")
    az(f"sig gallery-application version create -g {RG} -r {GAL} --application-name agent -n 1.0.0 -l {A} --package-file-link {E['STORY_PACKAGE']} --install-command i --remove-command r")
    at = id_of("/applications/agent/versions/1.0.0")
    unchanged(at, f"sig gallery-application version update -g {RG} -r {GAL} --application-name agent -n 1.0.0 -l {A} --package-file-link {E['STORY_PACKAGE']} --exclude-from true", "properties.publishingProfile.excludeFromLatest")
    az(f"sig gallery-application version delete -g {RG} -r {GAL} --application-name agent -n 1.0.0 -y")
    az(f"sig gallery-application delete -g {RG} -r {GAL} -n agent -y")


def generic():
    assert any(x["type"] == "Microsoft.Compute/galleries" for x in az(f"resource list -g {RG}"))
    gal = id_of("")
    assert az(f"resource show --ids {gal}")["name"] == GAL
    az(f"resource tag --ids {gal} --tags k=v")
    assert rest(gal)["tags"] == {"k": "v"}
    az(f"tag update --resource-id {gal} --operation merge --tags m=n")
    assert az(f"tag list --resource-id {gal}")["properties"]["tags"] == {"k": "v", "m": "n"}
    az(f"tag delete --resource-id {gal} -y")
    assert not rest(gal).get("tags")


def wrong():
    refused("CannotDeleteResource", f"sig delete -g {RG} -r {GAL}")
    refused("CannotDeleteResource", f"sig image-definition delete -g {RG} -r {GAL} -i debian")
    refused("DeleteGalleryImageVersionBlockedBeforeEndOfLife", f"sig image-version delete -g {RG} -r {GAL} -i debian -e 1.0.0")
    # The block until the end of life holds only where there is one; it is taken off as a person would.
    az(f"rest --method patch --url '{BASE}{id_of('/images/debian/versions/1.0.0')}?api-version={NEWEST}' --body '{{\"properties\":{{\"safetyProfile\":{{\"blockDeletionBeforeEndOfLife\":false}}}}}}'")


def right():
    az(f"sig image-version delete -g {RG} -r {GAL} -i debian -e 1.0.0")
    az(f"sig image-definition delete -g {RG} -r {GAL} -i debian")
    az(f"sig delete -g {RG} -r {GAL}")
    az(f"snapshot create -g {RG} -n snap3 -l {A} --source snap2")
    az(f"resource delete --ids /subscriptions/{SUB}/resourceGroups/{RG}/providers/Microsoft.Compute/snapshots/snap3")
    az(f"snapshot delete -g {RG} -n snap2")
    refused(": 3 ", f"snapshot show -g {RG} -n snap3")
    refused(": 3 ", f"sig show -g {RG} -r {GAL}")  # what az exits with for ResourceNotFound
    az(f"group delete -n {RG} -y")
    assert az(f"group exists -n {RG}") is False


def keep():
    """A version that the rig pulls in another region."""
    az(f"group create -n rg-keep -l {A}")
    az(f"sig create -g rg-keep -r gal_keep")
    az(f"sig image-definition create -g rg-keep -r gal_keep -i debian --os-type Linux --os-state Generalized -p p -f o -s s")
    az(f"sig image-version create -g rg-keep -r gal_keep -i debian -e 1.0.0 --os-snapshot {E['STORY_SNAPSHOT']} --target-regions {A}=1 {B}=1")


steps = [("cloud register, login, account", login), ("group create, exists, list", groups), ("sig create, update, show, list", gallery),
         ("sig image-definition create, update, list", definition), ("snapshot create, show, grant-access, revoke-access", snapshots),
         ("sig image-version create --no-wait, wait, update", version), ("sig gallery-application and version", application),
         ("resource list, show, tag; tag update, list, delete", generic), ("deleted in the wrong order: refused", wrong),
         ("deleted in the right order, group delete", right), ("a version to be pulled elsewhere", keep)]
for name, f in steps:
    step(name, f)

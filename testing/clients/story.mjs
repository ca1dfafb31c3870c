// The life of a gallery with Azure's SDK for JavaScript, unmodified.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

// The SDK lies outside the repository, in the folder that NODE_PATH names.
const resolve = createRequire(process.env.NODE_PATH + "/");
const { ComputeManagementClient } = await import(pathToFileURL(resolve.resolve("@azure/arm-compute")));

const env = process.env;
const base = env.LOGGIA_ADDRESS, sub = env.LOGGIA_SUBSCRIPTION, regions = env.STORY_REGIONS.split(",");
const rg = "rg-js", gal = "gal_js";

async function token() {
  const r = await fetch(`${base}/${env.LOGGIA_TENANT}/oauth2/v2.0/token`, { method: "POST", body: new URLSearchParams({ grant_type: "client_credentials",
    client_id: env.LOGGIA_CLIENT_ID, client_secret: env.LOGGIA_CLIENT_SECRET, scope: `${base}/.default` }) });
  const t = await r.json();
  if (!t.access_token) throw new Error(`no token: ${r.status} ${JSON.stringify(t)}`);
  return t;
}
const cred = { getToken: async () => { const t = await token(); return { token: t.access_token, expiresOnTimestamp: Date.now() + t.expires_in * 1000 }; } };
const c = new ComputeManagementClient(cred, sub, { endpoint: base, credentials: { scopes: [`${base}/.default`] } });

async function step(name, f) {
  const began = Date.now();
  try { await f(); } catch (e) { throw new Error(`${name}: ${e.message}`, { cause: e }); }
  console.log(`  ${name.padEnd(60)} ${((Date.now() - began) / 1000).toFixed(2).padStart(5)} s`);
}
function want(what, got, expected) {
  if (JSON.stringify(got) !== JSON.stringify(expected)) throw new Error(`${what}: got ${JSON.stringify(got)}, want ${JSON.stringify(expected)}`);
}
async function refused(p, status, code) {
  try { await p; } catch (e) { want("refusal", [e.statusCode, e.code ?? e.details?.error?.code], [status, code]); return; }
  throw new Error(`not refused, want ${status} ${code}`);
}
async function arm(method, path, body) {
  const t = await token();
  const r = await fetch(`${base}${path}?api-version=2021-04-01`, { method, headers: { authorization: `Bearer ${t.access_token}`, "content-type": "application/json" }, body: body && JSON.stringify(body) });
  return r;
}

const often = { updateIntervalInMs: 500 };

if (process.argv[2] === "poll") { // one version, awaited by the SDK's own poller, whatever happens meanwhile
  const wait = c.galleryImageVersions.createOrUpdate(env.STORY_GROUP, env.STORY_GALLERY, env.STORY_IMAGE, env.STORY_VERSION, { location: regions[0],
    storageProfile: { osDiskImage: { source: { id: env.STORY_SNAPSHOT } } }, publishingProfile: { targetRegions: regions.map((name) => ({ name })) } }, often);
  await wait.submitted();
  console.log("polling");
  console.log((await wait).provisioningState);
  process.exit(0);
}

await step("resource group", async () => {
  const r = await arm("PUT", `/subscriptions/${sub}/resourcegroups/${rg}`, { location: regions[0] });
  want("status", r.status, 201);
});
await step("gallery", async () => {
  const g = await c.galleries.createOrUpdate(rg, gal, { location: regions[0], description: "d" }, often);
  want("state", [g.provisioningState, g.description], ["Succeeded", "d"]);
});
await step("image definition", async () => {
  await c.galleryImages.createOrUpdate(rg, gal, "debian", { location: regions[0], osType: "Linux", osState: "Generalized", identifier: { publisher: "p", offer: "o", sku: "s" } }, often);
});
await step("version from a snapshot, two regions", async () => {
  const v = await c.galleryImageVersions.createOrUpdate(rg, gal, "debian", "1.0.0", { location: regions[0], storageProfile: { osDiskImage: { source: { id: env.STORY_SNAPSHOT } } },
    publishingProfile: { targetRegions: [{ name: regions[0], regionalReplicaCount: 2 }, { name: regions[1] }] } }, often);
  want("state", v.provisioningState, "Succeeded");
});
await step("replication status", async () => {
  const v = await c.galleryImageVersions.get(rg, gal, "debian", "1.0.0", { expand: "ReplicationStatus" });
  want("state", [v.replicationStatus.aggregatedState, v.replicationStatus.summary.length], ["Completed", 2]);
});
await step("another region, excluded from latest", async () => {
  const v = await c.galleryImageVersions.update(rg, gal, "debian", "1.0.0", { publishingProfile: { excludeFromLatest: true,
    targetRegions: [{ name: regions[0], regionalReplicaCount: 2 }, { name: regions[1] }, { name: regions[2] }] } }, often);
  want("update", [v.provisioningState, v.publishingProfile.targetRegions.length, v.publishingProfile.excludeFromLatest], ["Succeeded", 3, true]);
});
await step("lists", async () => {
  const names = [];
  for await (const v of c.galleryImageVersions.listByGalleryImage(rg, gal, "debian")) names.push(v.name);
  want("versions", names, ["1.0.0"]);
});
await step("a list of two pages", async () => {
  const names = new Set();
  let pages = 0;
  for await (const page of c.snapshots.listByResourceGroup("rg-pages").byPage()) { pages++; for (const s of page) names.add(s.name); }
  want("snapshots", [pages, names.size], [2, Number(env.STORY_PAGED)]);
});
await step("application and its version", async () => {
  await c.galleryApplications.createOrUpdate(rg, gal, "agent", { location: regions[0], supportedOSType: "Linux" }, often);
  const v = await c.galleryApplicationVersions.createOrUpdate(rg, gal, "agent", "1.0.0", { location: regions[0], publishingProfile: { source: { mediaLink: env.STORY_PACKAGE },
    manageActions: { install: "i", remove: "r" }, targetRegions: [{ name: regions[0] }, { name: regions[1] }] } }, often);
  want("state", v.provisioningState, "Succeeded");
});
await step("snapshot: copy, grant and revoke access, delete", async () => {
  const s = await c.snapshots.createOrUpdate(rg, "copy", { location: regions[0], creationData: { createOption: "Copy", sourceResourceId: env.STORY_SNAPSHOT } }, often);
  want("state", s.provisioningState, "Succeeded");
  const link = await c.snapshots.grantAccess(rg, "copy", { access: "Read", durationInSeconds: 600 }, often);
  want("link", link.accessSAS.startsWith(base), true);
  want("HEAD", (await fetch(link.accessSAS, { method: "HEAD" })).status, 200);
  await c.snapshots.revokeAccess(rg, "copy", often);
  want("HEAD of a link that was taken back", (await fetch(link.accessSAS, { method: "HEAD" })).status, 403);
  await c.snapshots.delete(rg, "copy", often);
});
await step("deleted in the wrong order: refused", async () => {
  await refused(c.galleries.delete(rg, gal), 409, "CannotDeleteResource");
  await refused(c.galleryImages.delete(rg, gal, "debian"), 409, "CannotDeleteResource");
});
await step("deleted in the right order", async () => {
  await c.galleryImageVersions.delete(rg, gal, "debian", "1.0.0", often);
  await c.galleryApplicationVersions.delete(rg, gal, "agent", "1.0.0", often);
  await c.galleryApplications.delete(rg, gal, "agent", often);
  await c.galleryImages.delete(rg, gal, "debian", often);
  await c.galleries.delete(rg, gal, often);
  await refused(c.galleries.get(rg, gal), 404, "ResourceNotFound");
});

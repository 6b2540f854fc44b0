// Calls every operation of the dialect's official client that a server serves, unmodified. Reads { url, key, clickId,
// partnerClickId } from standard input, writes { calls: [{ area, operation, error? }], known: ["area.operation"] }:
// what was called and what came of it, and every operation that the client has in these areas.
import { Dub } from "dub";

let text = "";
for await (const chunk of process.stdin) text += chunk;
const { url, key, clickId } = JSON.parse(text);
const dub = new Dub({ serverURL: url, token: key });

const calls = [];
async function call(area, operation, send) {
  try {
    const answer = await send(dub[area]);
    calls.push({ area, operation });
    return answer?.result ?? answer;
  } catch (error) {
    calls.push({ area, operation, error: `${error.name}: ${error.message} ${error.pretty?.() ?? ""}`.slice(0, 2000) });
    return undefined;
  }
}

// Where links stand.
const tag = await call("tags", "create", (it) => it.create({ name: "Spring", color: "green" }));
await call("tags", "list", (it) => it.list({ search: "Spr", sortBy: "createdAt", pageSize: 10 }));
await call("tags", "update", (it) => it.update(tag?.id, { name: "Summer" }));
const folder = await call("folders", "create", (it) => it.create({ name: "Creators", accessLevel: "read" }));
await call("folders", "list", (it) => it.list({ search: "Crea" }));
await call("folders", "update", (it) => it.update(folder?.id, { name: "All creators" }));
await call("domains", "create", (it) => it.create({ slug: "go.moss.example" }));
await call("domains", "create", (it) => it.create({ slug: "old.moss.example" }));
await call("domains", "list", (it) => it.list({ archived: false, pageSize: 10 }));
await call("domains", "update", (it) => it.update("go.moss.example", { expiredUrl: "https://moss.example/gone" }));

// Whose links they are.
const partner = await call("partners", "create", (it) => it.create({ name: "Ben", email: "ben@mail.example", tenantId: "t1" }));
await call("partners", "list", (it) => it.list({ email: "ben@mail.example" }));

// Links.
const link = await call("links", "create", (it) =>
  it.create({
    url: "https://moss.example/mugs",
    key: "js",
    externalId: "own-1",
    tagIds: [tag?.id],
    folderId: folder?.id,
    partnerId: partner?.id,
    trackConversion: true,
    expiresAt: "2030-01-01T00:00:00Z",
    expiredUrl: "https://moss.example/over",
    ios: "https://apps.apple.com/app/id1",
    android: "https://play.google.com/store/apps/details?id=moss",
    geo: { DE: "https://moss.example/de" },
    utmSource: "tiktok",
    title: "Mugs",
    comments: "first",
    testVariants: [
      { url: "https://moss.example/a", percentage: 50 },
      { url: "https://moss.example/b", percentage: 50 },
    ],
    testCompletedAt: "2030-01-01T00:00:00Z",
    testStartedAt: "2026-11-21T00:00:00Z",
  }),
);
await call("discountCodes", "create", (it) => it.create({ code: "BEN10", partnerId: partner?.id, linkId: link?.id }));
await call("discountCodes", "list", (it) => it.list({ partnerId: partner?.id }));
await call("discountCodes", "delete", (it) => it.delete("BEN10"));
await call("partners", "createLink", (it) => it.createLink({ partnerId: partner?.id, url: "https://moss.example/ben", key: "ben-js", linkProps: { tagNames: ["Summer"], title: "Ben" } }));
await call("partners", "upsertLink", (it) => it.upsertLink({ tenantId: "t1", url: "https://moss.example/ben", comments: "again" }));
await call("partners", "retrieveLinks", (it) => it.retrieveLinks({ tenantId: "t1" }));
for (const groupBy of ["count", "timeseries", "top_links"]) {
  await call("partners", "analytics", (it) => it.analytics({ partnerId: partner?.id, interval: "30d", groupBy }));
}
const locked = await call("links", "create", (it) => it.create({ url: "https://moss.example/vip", password: "open", proxy: true, title: "VIP", description: "Only you" }));
const many = await call("links", "createMany", (it) => it.createMany([1, 2, 3].map((n) => ({ url: `https://moss.example/${n}`, key: `many-${n}` }))));
await call("links", "upsert", (it) => it.upsert({ url: "https://moss.example/upserted" }));
await call("links", "upsert", (it) => it.upsert({ url: "https://moss.example/upserted", comments: "again" }));
await call("links", "get", (it) => it.get({ externalId: "own-1" }));
await call("links", "get", (it) => it.get({ linkId: link?.id }));
await call("links", "list", (it) => it.list({ search: "many", pageSize: 2, sortBy: "createdAt", sortOrder: "asc" }));
await call("links", "list", (it) => it.list({ tagIds: [tag?.id], folderId: folder?.id, withTags: true, showArchived: true }));
await call("links", "count", (it) => it.count({}));
// Its models know a number here, and no groups: tests/it reads those.
await call("links", "count", (it) => it.count({ tagIds: [tag?.id], search: "mugs" }));
await call("links", "update", (it) => it.update(link?.id, { comments: "second", tagNames: ["Summer"] }));
await call("links", "updateMany", (it) => it.updateMany({ linkIds: many?.slice(0, 2).map((one) => one.id), data: { archived: true } }));
await call("links", "updateMany", (it) => it.updateMany({ externalIds: ["own-1"], data: { utmMedium: "video" } }));
await call("links", "deleteMany", (it) => it.deleteMany({ linkIds: many?.map((one) => one.id) }));
await call("links", "delete", (it) => it.delete(locked?.id));
await call("qrCodes", "get", (it) => it.get({ url: link?.shortLink ?? "", size: 300, level: "M" }));

// Conversions, and whom they name.
await call("track", "lead", (it) => it.lead({ clickId, eventName: "Sign up", customerExternalId: "u1", customerName: "Zoe", customerEmail: "zoe@mail.example", metadata: { plan: "pro" } }));
await call("track", "lead", (it) => it.lead({ clickId, eventName: "Trial", customerExternalId: "u1", mode: "wait" }));
await call("track", "sale", (it) => it.sale({ customerExternalId: "u1", amount: 4900, currency: "eur", paymentProcessor: "stripe", invoiceId: "inv_1" }));
const customers = await call("customers", "list", (it) => it.list({ externalId: "u1", includeExpandedFields: true }));
const customer = customers?.[0];
await call("customers", "get", (it) => it.get({ id: customer?.id, includeExpandedFields: true }));
await call("customers", "update", (it) => it.update({ id: customer?.id, requestBody: { name: "Zoe Moss" } }));

// What happened.
for (const event of ["clicks", "leads", "sales"]) {
  await call("events", "list", (it) => it.list({ event, interval: "all" }));
}
// Those that the client has models for.
const groups = [
  "count", "timeseries", "continents", "regions", "countries", "cities", "devices", "browsers", "os", "triggers",
  "referers", "referer_urls", "top_links", "top_urls",
];
for (const event of ["clicks", "leads", "sales", "composite"]) {
  for (const groupBy of groups) {
    await call("analytics", "retrieve", (it) => it.retrieve({ event, groupBy, interval: "all" }));
  }
}

await call("partners", "deactivate", (it) => it.deactivate({ tenantId: "t1" }));
await call("partners", "ban", (it) => it.ban({ partnerId: partner?.id, reason: "brand_abuse" }));
await call("partners", "list", (it) => it.list({ status: "banned" }));
await call("customers", "delete", (it) => it.delete(customer?.id));
await call("tags", "delete", (it) => it.delete(tag?.id));
await call("domains", "delete", (it) => it.delete("old.moss.example"));
await call("folders", "delete", (it) => it.delete(folder?.id));

const areas = [...new Set(calls.map(({ area }) => area))];
const known = areas.flatMap((area) => {
  const names = Object.getOwnPropertyNames(Object.getPrototypeOf(dub[area]));
  return names.filter((name) => name !== "constructor" && !name.startsWith("_")).map((name) => `${area}.${name}`);
});
process.stdout.write(JSON.stringify({ calls, known }));

// Drives a server with the dialect's official client, unmodified. Reads { url, key, clickId } from standard input, writes
// what the client returned: it checks every answer against its own schema, and throws where one does not fit.
import { Dub } from "dub";

let text = "";
for await (const chunk of process.stdin) text += chunk;
const { url, key, clickId } = JSON.parse(text);
const dub = new Dub({ serverURL: url, token: key });

const answers = {};
answers.lead = await dub.track.lead({
  clickId,
  eventName: "Sign up",
  customerExternalId: "u1",
  customerName: "Zoe",
  customerEmail: "zoe@mail.example",
  mode: "wait",
});
answers.sale = await dub.track.sale({
  customerExternalId: "u1",
  amount: 4900,
  currency: "eur",
  paymentProcessor: "stripe",
  invoiceId: "inv_1",
  metadata: { plan: "pro" },
});
answers.again = await dub.track.sale({ customerExternalId: "u1", amount: 1, invoiceId: "inv_1" });
answers.nobody = await dub.track.sale({ customerExternalId: "nobody", amount: 5 });
try {
  await dub.track.lead({ clickId: "unknown", eventName: "Sign up", customerExternalId: "u2" });
} catch (error) {
  answers.unknownClick = { name: error.constructor.name, status: error.statusCode ?? error.httpMeta?.response?.status };
}

// Without pages where the client pages by itself: the first one.
const page = await dub.customers.list({ includeExpandedFields: true });
answers.customers = page.result ?? page;
const id = answers.customers[0].id;
answers.customer = await dub.customers.get({ id });
answers.changed = await dub.customers.update({ id, requestBody: { name: "Zoë" } });
answers.leads = await dub.events.list({ event: "leads", interval: "all" });
answers.sales = await dub.events.list({ event: "sales", interval: "all" });
answers.count = await dub.analytics.retrieve({ event: "composite", groupBy: "count", interval: "all" });
answers.series = await dub.analytics.retrieve({ event: "sales", groupBy: "timeseries", interval: "24h" });
answers.devices = await dub.analytics.retrieve({ event: "sales", groupBy: "devices", interval: "all" });
answers.links = await dub.analytics.retrieve({ event: "leads", groupBy: "top_links", interval: "all" });
answers.deleted = await dub.customers.delete(id);
process.stdout.write(JSON.stringify(answers));

// Receives as a brand would: verifies with Standard Webhooks' own library, and reads with the official client's own
// schemas. Reads {secret, posts: [{headers, text}]} from standard input, writes what each post was found to be.
import { Webhook, WebhookVerificationError } from "standardwebhooks";
import {
  leadCreatedEventFromJSON,
  linkClickedEventFromJSON,
  linkWebhookEventFromJSON,
  saleCreatedEventFromJSON,
} from "dub/models/components";

const readers = {
  "link.created": linkWebhookEventFromJSON,
  "link.updated": linkWebhookEventFromJSON,
  "link.deleted": linkWebhookEventFromJSON,
  "link.clicked": linkClickedEventFromJSON,
  "lead.created": leadCreatedEventFromJSON,
  "sale.created": saleCreatedEventFromJSON,
};

const verifies = (webhook, text, headers) => {
  try {
    webhook.verify(text, headers);
    return true;
  } catch (error) {
    if (error instanceof WebhookVerificationError) return false;
    throw error;
  }
};

let input = "";
for await (const chunk of process.stdin) input += chunk;
const { secret, posts } = JSON.parse(input);
const webhook = new Webhook(secret);
const stranger = new Webhook("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
const found = posts.map(({ headers, text }) => {
  const { event } = JSON.parse(text);
  const read = readers[event](text);
  return {
    event,
    verified: verifies(webhook, text, headers),
    verifiedByStranger: verifies(stranger, text, headers),
    verifiedWhenChanged: verifies(webhook, text.replace("evt_", "evt-"), headers),
    read: read.ok,
    error: read.ok ? null : String(read.error),
    value: read.ok ? read.value : null,
  };
});
process.stdout.write(JSON.stringify(found));

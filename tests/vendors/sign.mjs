// Signs and verifies with the vendors' own libraries. Reads one JSON array of tasks from standard input and writes the
// array of answers: {sign: {headers}} or {verify: true|false}.
import { createHmac } from "node:crypto";
import Stripe from "stripe";
import { Webhook } from "standardwebhooks";

const stripe = new Stripe("sk_test_never_sent_anywhere");

const kinds = {
  stripe: {
    sign: ({ secret, body, at }) => ({
      "Stripe-Signature": stripe.webhooks.generateTestHeaderString({ payload: body, secret, timestamp: at }),
    }),
    // A tolerance of 0 asks for no freshness: the tests' clock stands elsewhere.
    verify: ({ secret, body, headers }) =>
      stripe.webhooks.constructEvent(body, headers["Stripe-Signature"], secret, 0) !== undefined,
  },
  standard: {
    sign: ({ secret, body, at, id }) => ({
      "webhook-id": id,
      "webhook-timestamp": String(at),
      "webhook-signature": new Webhook(secret).sign(id, new Date(at * 1000), body),
    }),
    verify: ({ secret, body, headers }) => new Webhook(secret).verify(body, headers) !== undefined,
  },
  // WooCommerce signs in PHP: base64_encode(hash_hmac('sha256', $payload, $secret, true)), which is this.
  woocommerce: {
    sign: ({ secret, body }) => ({
      "X-WC-Webhook-Signature": createHmac("sha256", secret).update(body, "utf8").digest("base64"),
    }),
  },
};

let text = "";
for await (const chunk of process.stdin) text += chunk;
const answers = JSON.parse(text).map((task) => {
  const kind = kinds[task.kind];
  if (!task.headers) return { sign: kind.sign(task) };
  try {
    return { verify: kind.verify(task) };
  } catch (error) {
    if (error.constructor.name.includes("Verification")) return { verify: false };
    throw error;
  }
});
process.stdout.write(JSON.stringify(answers));

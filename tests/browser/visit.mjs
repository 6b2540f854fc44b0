// Visits pages as strangers do and tells what happened: a description on standard input, what was seen on standard
// output, both JSON (tests/browser/node.rs). Judges nothing.
//
// Description: { hostRules, screenshots (folder), visits: [{ name, url, width, height, touch, scheme, language, script,
// agent?, cpuSlowdown?, axe, session?: { name, value }, choose?: { field: value } }] }. With `session`, that cookie is sent.
// With `choose`, the fields are set and the one button is pressed.

import { readFileSync } from "node:fs";
import { join } from "node:path";

import { launch, stranger } from "./chromium.mjs";
import { axe, measure, picture, settle, timing } from "./look.mjs";

// Everything that a browser complains about, and every answer that it gets, from now on.
async function listen(page, session) {
  const problems = [];
  const answers = new Map();
  page.on("console", (message) => {
    if (["error", "warn"].includes(message.type())) {
      problems.push(`${message.type()}: ${message.text()} ${message.location().url ?? ""}`);
    }
  });
  page.on("pageerror", (error) => problems.push(`exception: ${error.message}`));
  page.on("requestfailed", (request) => problems.push(`${request.failure().errorText}: ${request.url()}`));
  await session.send("Network.enable");
  session.on("Network.responseReceived", ({ requestId, type, response }) => {
    answers.set(requestId, {
      type,
      url: response.url,
      encoding: response.headers["content-encoding"] ?? response.headers["Content-Encoding"] ?? null,
      bytes: null,
    });
  });
  // Head and body, as they came over the wire.
  session.on("Network.loadingFinished", ({ requestId, encodedDataLength }) => {
    if (answers.has(requestId)) answers.get(requestId).bytes = encodedDataLength;
  });
  return { problems, answers };
}

async function choose(page, field, value) {
  const selector = `[name="${field}"]`;
  const is = await page.$eval(selector, (element) => element.tagName);
  if (is === "SELECT") {
    await page.select(selector, value);
  } else {
    await page.click(selector, { count: 3 });
    await page.type(selector, value);
  }
  const now = await page.$eval(selector, (element) => element.value);
  if (now !== value) throw new Error(`${field} shows ${now} after ${value} was chosen`);
}

// Presses the button and waits for wherever that leads.
async function checkOut(page, touch) {
  const [response] = await Promise.all([
    page.waitForNavigation({ waitUntil: "load" }),
    touch ? page.tap("button.go") : page.click("button.go"),
  ]);
  return { url: page.url(), status: response.status(), method: response.request().method() };
}

async function visit(browser, screenshots, what) {
  const { context, page, session } = await stranger(browser, what);
  const { problems, answers } = await listen(page, session);
  try {
    if (what.cpuSlowdown) await page.emulateCPUThrottling(what.cpuSlowdown);
    if (what.session) await page.setCookie({ ...what.session, url: what.url });
    const response = await page.goto(what.url, { waitUntil: "load" });
    const seen = { name: what.name, status: response.status(), timing: null, violations: null, arrived: null };
    if (what.script) {
      seen.timing = await timing(page);
      await settle(page);
    }
    seen.measures = await measure(page);
    seen.answers = [...answers.values()];
    await picture(page, join(screenshots, `${what.name}.png`));
    // What axe itself sets off is nobody's problem.
    const before = problems.length;
    if (what.axe) seen.violations = await axe(page);
    problems.splice(before);
    if (what.choose) {
      for (const [field, value] of Object.entries(what.choose)) await choose(page, field, value);
      seen.arrived = await checkOut(page, what.touch);
    }
    return { ...seen, problems };
  } catch (error) {
    throw new Error(`${[`${what.name}: ${error.message}`, ...problems].join("\n  ")}`, { cause: error });
  } finally {
    await context.close();
  }
}

const { hostRules, screenshots, visits } = JSON.parse(readFileSync(0, "utf8"));
const browser = await launch(hostRules);
try {
  const seen = [];
  for (const what of visits) seen.push(await visit(browser, screenshots, what));
  process.stdout.write(JSON.stringify(seen));
} finally {
  await browser.close();
}

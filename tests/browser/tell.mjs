// Goes through a shop's pages as one visitor and tells what each of them said in `window.told`: a description on standard
// input, what was seen on standard output, both JSON (tests/browser/telling.rs). Judges nothing.
//
// Description: { hostRules, urls: [where to go, one after the other] }.

import { readFileSync } from "node:fs";

import { launch, stranger } from "./chromium.mjs";

const { hostRules, urls } = JSON.parse(readFileSync(0, "utf8"));
const browser = await launch(hostRules);
try {
  const as = { width: 390, height: 844, touch: true, scheme: "light", language: "en", script: true };
  const { page } = await stranger(browser, as);
  const seen = [];
  for (const url of urls) {
    await page.goto(url, { waitUntil: "load" });
    const told = await page.evaluate(() => window.told);
    seen.push({ url: page.url(), told, cookie: await page.evaluate(() => document.cookie) });
  }
  process.stdout.write(JSON.stringify(seen));
} finally {
  await browser.close();
}

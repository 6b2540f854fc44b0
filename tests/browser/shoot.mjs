// For people: node tests/browser/shoot.mjs URL OUT.png [WIDTH]
//
// The whole page as a picture; narrower than 600 pixels it is a phone. SCHEME=dark and LANGUAGE=ar change what it shows;
// COOKIE=name=value is sent along, such as the console's session.
// (The packages: npm ci --prefix tests/browser, once.)

import { launch, stranger } from "./chromium.mjs";
import { picture, settle } from "./look.mjs";

const [url, out, width = "390"] = process.argv.slice(2);
if (!out || !(Number(width) >= 100 && Number(width) <= 4000)) {
  console.error("usage: node tests/browser/shoot.mjs URL OUT.png [WIDTH, 100 to 4000]");
  process.exit(2);
}
const touch = Number(width) < 600;
const browser = await launch();
try {
  const { page } = await stranger(browser, {
    width: Number(width),
    height: touch ? 844 : 800,
    touch,
    scheme: process.env.SCHEME || "light",
    language: process.env.LANGUAGE || "en",
    script: true,
  });
  if (process.env.COOKIE) {
    const [name, ...value] = process.env.COOKIE.split("=");
    await page.setCookie({ name, value: value.join("="), url });
  }
  const response = await page.goto(url, { waitUntil: "load" });
  await settle(page);
  await picture(page, out);
  console.log(`${response.status()} ${page.url()} -> ${out}`);
} finally {
  await browser.close();
}

// Starts Chromium: the one that HOPCART_CHROMIUM names, else the one on PATH. Never downloads one.

import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";

import puppeteer from "puppeteer-core";

function chromium() {
  const onPath = (process.env.PATH ?? "").split(delimiter).map((folder) => join(folder, "chromium"));
  const found = process.env.HOPCART_CHROMIUM || onPath.find((file) => existsSync(file));
  if (!found) throw new Error("chromium is not on PATH: apt-get install chromium, or set HOPCART_CHROMIUM");
  return found;
}

// User agents that no list of bots knows: what Chromium sends without a window says "Headless".
const PHONE =
  "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Mobile Safari/537.36";
const DESKTOP =
  "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36";

// `hostRules`: where names lead, in the words of --host-resolver-rules. Certificates are the test's own.
export function launch(hostRules = "") {
  return puppeteer.launch({
    executablePath: chromium(),
    args: [
      // Only pages of this machine are shown, often as root in a container with little shared memory.
      "--no-sandbox",
      "--disable-dev-shm-usage",
      // The test's certificates are its own. (CDP's way to ignore that would connect a second time.)
      "--ignore-certificate-errors",
      "--force-color-profile=srgb",
      "--hide-scrollbars",
      // Nothing but the page may use the link that is measured.
      "--disable-background-networking",
      ...(hostRules ? [`--host-resolver-rules=${hostRules}`] : []),
    ],
  });
}

// A page of somebody who was never here before: no cookie, no cache, no TLS session.
// `as`: width and height in CSS pixels, touch, scheme (light or dark), language, script (whether scripts may run), and the
// user agent, where it matters which.
export async function stranger(browser, as) {
  const context = await browser.createBrowserContext();
  const page = await context.newPage();
  await page.setViewport({
    width: as.width,
    height: as.height,
    isMobile: as.touch,
    hasTouch: as.touch,
    deviceScaleFactor: as.touch ? 2 : 1,
  });
  const session = await page.createCDPSession();
  await session.send("Emulation.setUserAgentOverride", {
    userAgent: as.agent ?? (as.touch ? PHONE : DESKTOP),
    acceptLanguage: as.language,
  });
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: as.scheme }]);
  await page.setJavaScriptEnabled(as.script);
  return { context, page, session };
}

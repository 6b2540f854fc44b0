// What can be seen on a page: measures and pictures. Judges nothing; tests/browser/main.rs does.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

// Scrolls past every picture, so that those that load late do, and comes back. Waits for all of them.
export async function settle(page) {
  await page.evaluate(async () => {
    const pictures = [...document.images];
    for (const picture of pictures) {
      picture.scrollIntoView({ block: "center", behavior: "instant" });
      if (!picture.complete) {
        await new Promise((done) => {
          picture.addEventListener("load", done, { once: true });
          picture.addEventListener("error", done, { once: true });
        });
      }
    }
    scrollTo(0, 0);
  });
}

// The whole page as a picture. The window grows instead of the picture: Chromium shifts full-page pictures of pages that
// run from right to left.
export async function picture(page, path) {
  const { width, height, ...rest } = page.viewport();
  const whole = await page.evaluate(() => document.documentElement.scrollHeight);
  await page.setViewport({ ...rest, width, height: Math.max(height, Math.min(whole, 8000)) });
  await page.screenshot({ path });
  await page.setViewport({ ...rest, width, height });
}

// Layout, in CSS pixels, of a page that stands at its top.
export function measure(page) {
  return page.evaluate(() => {
    const root = document.documentElement;
    const name = (element) => element.outerHTML.slice(0, 120);
    const box = (element) => element.getBoundingClientRect();
    const go = document.querySelector("button.go");
    // A box to tick is tapped on its label.
    const target = (element) => (element.type === "checkbox" && element.labels[0]) || element;
    const controls = [...document.querySelectorAll("a[href], button, select, input:not([type=hidden])")];
    // What is folded away cannot be tapped.
    const taps = controls.filter((element) => element.checkVisibility()).map(target);
    return {
      language: root.lang,
      direction: getComputedStyle(root).direction,
      ground: getComputedStyle(document.body).backgroundColor,
      width: Math.max(root.scrollWidth, document.body.scrollWidth),
      buttons: document.querySelectorAll("button").length,
      go: go && { top: box(go).top, bottom: box(go).bottom },
      taps: taps.map((element) => ({ what: name(element), height: box(element).height })),
      images: [...document.images].map((image) => ({ url: image.src, width: image.naturalWidth })),
    };
  });
}

// What axe-core finds wrong: rule, impact, and the elements.
export async function axe(page) {
  await page.evaluate(AXE);
  const violations = await page.evaluate(async () => {
    // Preloading would fetch style sheets, which the page's policy forbids and which it does not have.
    const found = await globalThis.axe.run(document, { preload: false, resultTypes: ["violations"] });
    return found.violations.map(({ id, impact, help, nodes }) => ({
      id,
      impact,
      help,
      elements: nodes.map((node) => node.html),
    }));
  });
  return violations;
}

// Milliseconds from the tap on the link to the request, the page's first and last byte, and the first text or picture.
export async function timing(page) {
  const handle = await page.waitForFunction(() => {
    const [paint] = performance.getEntriesByName("first-contentful-paint");
    if (!paint) return null;
    const [{ requestStart, responseStart, responseEnd }] = performance.getEntriesByType("navigation");
    return { requestStart, responseStart, responseEnd, firstContentfulPaint: paint.startTime };
  });
  return handle.jsonValue();
}

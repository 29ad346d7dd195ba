// SPDX-License-Identifier: Apache-2.0
// 256 stations that all work, each telling its progress as often as the daemon tells it (5 times a second): the page
// stays under half a core, and when it is over every tile, every figure and the last units are those of the record.
// --minutes N measures for that long.
import { LARGE } from "./browser.mjs";
import { Meter } from "./meter.mjs";
import { CHIP, firmware, until } from "./plant.mjs";
import { play } from "./play.mjs";
import { Inserter } from "./reader.mjs";
import { View } from "./view.mjs";

const STATIONS = 256;
const SHORT = 32; // stations that finish boards all the time, so that there are facts, too
const BAUD = 38400;
const SECONDS = 6;
const CORES = 0.5;
const PAINT_MS = 1000;

/** What each tile's strip says: how many runs it has seen, and how they ended. */
function strips() {
  return Object.fromEntries(
    [...document.querySelectorAll("[data-station]")].map((tile) => [
      tile.dataset.station,
      tile.querySelector("svg[role=img]").getAttribute("aria-label"),
    ]),
  );
}

function words(recent) {
  const counts = new Map();
  for (const run of [...recent].reverse()) {
    const word = run.outcome === "pass" ? "pass" : run.class || run.outcome;
    counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  return recent.length
    ? `last ${recent.length} runs: ${[...counts].map(([word, count]) => `${count} ${word}`).join(", ")}`
    : "no runs yet";
}

async function measure({ plant, check, equal, shot, minutes }, visitor) {
  const { items } = await plant.get("/v1/stations");
  const names = items.map((station) => station.name);
  const image = await plant.image(firmware(60_000));
  const small = await plant.image(firmware(600, 2));
  await plant.submit(image, {
    stations: names.slice(SHORT),
    quantity: STATIONS,
    trigger: "on_insert",
    work_order: "LONG",
  });
  const short = await plant.submit(small, {
    stations: names.slice(0, SHORT),
    quantity: 100_000,
    trigger: "on_insert",
    work_order: "SHORT",
  });
  const inserter = new Inserter(plant);
  await until(
    "all stations to work",
    async () =>
      (await plant.get("/v1/stations")).items.filter((station) => station.run !== null).length >= STATIONS - SHORT,
  );
  await visitor.until(
    "the tiles to show it",
    async () => (await visitor.page.locator(".is-running").count()) >= STATIONS - SHORT,
  );

  const meter = await Meter.of(visitor);
  const before = await meter.seconds();
  const [progress, facts] = [inserter.progressCount(), inserter.facts];
  const seconds = minutes ? 60 * Number(minutes) : SECONDS;
  await new Promise((done) => setTimeout(done, 1000 * seconds)); // the time that is measured
  const used = await meter.since(before);
  const rate = (inserter.progressCount() - progress) / used.took;
  const factRate = (inserter.facts - facts) / used.took;
  console.log(
    `${rate.toFixed(0)} progress events and ${factRate.toFixed(0)} facts a second; renderer ${used.renderer.toFixed(3)} cores ` +
      `(main thread ${used.tasks.toFixed(3)}), drawing without a graphics card ${used.drawing.toFixed(3)} cores`,
  );
  check(rate >= 4 * (STATIONS - SHORT), `${rate.toFixed(0)} progress events a second came`);
  check(used.renderer < CORES, `the page took ${used.renderer.toFixed(3)} cores`);
  await shot(visitor, "load-256");

  inserter.stopped = true;
  for (const job of (await plant.get("/v1/jobs?state=running")).items)
    await plant.post(`/v1/jobs/${job.id}/cancel`, {});
  await until("all stations to rest", async () =>
    (await plant.get("/v1/stations")).items.every((station) => station.run === null),
  );
  await inserter.close();
  const view = new View({ plant, equal, check }, visitor);
  await view.agrees(short, "the figures of the job that ended last").catch((error) => check(false, error.message));
  await view.lastUnitsAgree("the last units");
  const recent = (await plant.get("/v1/stations?recent=20")).items;
  const want = Object.fromEntries(recent.map((station) => [station.name, words(station.recent)]));
  await visitor.until("all strips to be right", async () => {
    const shown = await visitor.page.evaluate(strips);
    const wrong = names.filter((name) => shown[name] !== want[name]);
    if (wrong.length === 0) return true;
    throw new Error(
      wrong
        .slice(0, 3)
        .map((name) => `${name}: ${shown[name]} is not ${want[name]}`)
        .join("; "),
    );
  });
  check(inserter.ended > 0, `${inserter.ended} runs ended meanwhile`);
}

/** Of a page that nothing of is in the cache; median of three. */
async function firstPaint({ plant, browser, check }) {
  for (const [what, user] of [
    ["log in", null],
    ["line of 256 stations", "operator"],
  ]) {
    const paints = [];
    for (let time = 0; time < 3; time++) {
      const visitor = user
        ? await browser.enter(plant, user, { viewport: LARGE })
        : await browser.visitor(plant, { viewport: LARGE });
      if (user) await (await visitor.devtools()).send("Network.clearBrowserCache");
      await (user ? visitor.page.reload() : visitor.open());
      paints.push(
        await visitor.until("the first paint", () =>
          visitor.page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime),
        ),
      );
      await visitor.leave();
    }
    const [, ms] = paints.sort((a, b) => a - b);
    check(ms <= PAINT_MS, `${what}: first paint after ${ms.toFixed(0)} ms`);
    console.log(`${what}: first paint after ${ms.toFixed(0)} ms`);
  }
}

const slower = (text) => text.replace(/^baud = \d+$/gm, `baud = ${BAUD}`);

await play({ boards: `${CHIP}=${STATIONS}`, sim: ["--pace"], change: slower }, async (scene) => {
  await scene.plant.addUser("operator", "operator");
  await scene.part("first paint", () => firstPaint(scene));
  const visitor = await scene.browser.enter(scene.plant, "operator", { viewport: LARGE });
  await scene.part("load", () => measure(scene, visitor));
});

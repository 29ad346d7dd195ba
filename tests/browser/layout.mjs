// SPDX-License-Identifier: Apache-2.0
// The line view has no scroll bars and cuts nothing off: 16 stations at 1366×768, 64 and 256 at 1920×1080, while a job
// runs, with failures and with the longest texts that the daemon takes. No other page has to be moved sideways.
import { LARGE, SMALL } from "./browser.mjs";
import { scrollFaults } from "./eyes.mjs";
import { PLACES, eventful } from "./farms.mjs";
import { CHIP, Plant, firmware, until } from "./plant.mjs";
import { play } from "./play.mjs";

const SIZES = [
  [16, SMALL],
  [64, LARGE],
  [256, LARGE],
];
const WORK_ORDER = `WO-${"4711-long-order-of-somebody-".repeat(5)}`.slice(0, 128);

async function lineView(scene, count, viewport) {
  const { browser, check, equal, shot } = scene;
  const plant = (scene.plant = await Plant.start(scene.programs, { boards: `${CHIP}=${count}` }));
  await plant.addUser("engineer", "engineer");
  const { names, image } = await eventful(plant);
  const long = await plant.submit(image, {
    stations: names.slice(3, -1),
    quantity: 100_000,
    trigger: "on_insert",
    work_order: WORK_ORDER,
  });
  await Promise.all(names.slice(3, -1).map((name) => plant.board("insert", name)));
  await until("passes", async () => (await plant.job(long)).counts.passed >= Math.min(4, count - 5));
  for (const theme of ["light", "dark"]) {
    const visitor = await browser.enter(plant, "engineer", { viewport, theme });
    await visitor.until("all tiles", async () => (await visitor.page.locator("[data-station]").count()) === count);
    await visitor.quiet();
    equal(await visitor.page.evaluate(scrollFaults, { sideways: false }), [], `${count} stations, ${theme}`);
    await shot(visitor, `line-${count}-${theme}`);
    await visitor.leave();
  }
  check((await plant.close()) === 0, "the daemon's exit status");
  scene.plant = null;
}

async function otherPages(scene) {
  const { browser, equal } = scene;
  const plant = (scene.plant = await Plant.start(scene.programs, {}));
  await plant.addUser("engineer", "engineer");
  const { names, image } = await eventful(plant);
  await plant.submit(image, { stations: names.slice(3), work_order: WORK_ORDER });
  const visitor = await browser.enter(plant, "engineer");
  for (const place of PLACES) {
    await visitor.go(place);
    equal(await visitor.page.evaluate(scrollFaults, { sideways: true }), [], `${place} at 1366`);
  }
  await visitor.leave();
}

await play(null, async (scene) => {
  for (const [count, viewport] of SIZES) await scene.part(`${count} stations`, () => lineView(scene, count, viewport));
  await scene.part("other pages", () => otherPages(scene));
});

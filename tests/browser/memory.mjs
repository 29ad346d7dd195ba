// SPDX-License-Identifier: Apache-2.0
// A wall screen that nobody touches: its heap stays flat while facts and progress come at many times the rate of a real
// line. The short form takes half a minute and finds what keeps half a kilobyte of each run; `--minutes 30` finds a few
// bytes.
import { LARGE } from "./browser.mjs";
import { Meter } from "./meter.mjs";
import { CHIP, firmware, until } from "./plant.mjs";
import { play } from "./play.mjs";
import { Inserter } from "./reader.mjs";

const SECONDS = 16;
const WARM_RUNS = 700; // every list and strip is full then
const SAMPLES = 3;
const WARM_MS = 90_000; // on a busy host
const GROWTH = 0.1;
const SLACK_BYTES = 500_000; // the answers that were read last are not always equally long
const PLACES = ["line", "operate"];

async function flat({ plant, browser, check, minutes }, place, image) {
  const visitor = await browser.enter(plant, "operator", { viewport: LARGE, place });
  await visitor.settled();
  const job = await plant.submit(image, { quantity: 1_000_000, trigger: "on_insert", work_order: `WO-${place}` });
  const inserter = new Inserter(plant);
  await until("every list to be full", () => inserter.ended >= WARM_RUNS, WARM_MS);
  const meter = await Meter.of(visitor);
  const settled = async () => {
    await inserter.pause();
    await visitor.quiet();
    const heap = await meter.heap();
    console.log(
      `${place}: ${(heap.bytes / 1e6).toFixed(2)} MB, ${heap.nodes} nodes, ${heap.listeners} listeners, ${inserter.ended} runs`,
    );
    await inserter.resume();
    return heap;
  };
  const first = await settled();
  const seconds = (minutes ? 60 * Number(minutes) : SECONDS) / PLACES.length;
  const [runs, began] = [inserter.ended, performance.now()];
  const heaps = [];
  for (let sample = 0; sample < SAMPLES; sample++) {
    await new Promise((done) => setTimeout(done, (1000 * seconds) / SAMPLES)); // the time that is measured
    heaps.push(await settled());
  }
  const last = heaps.at(-1);
  const bytes = Math.min(...heaps.slice(-2).map((heap) => heap.bytes)); // what leaks is in both
  const rate = ((inserter.ended - runs) / (performance.now() - began)) * 1000;
  const growth = bytes / first.bytes - 1;
  check(rate >= 10, `${place}: ${rate.toFixed(0)} runs a second`);
  check(
    growth < GROWTH || bytes - first.bytes < SLACK_BYTES,
    `${place}: the heap grew by ${(100 * growth).toFixed(1)} %, from ${first.bytes} to ${bytes}`,
  );
  check(last.nodes <= 1.2 * first.nodes + 200, `${place}: ${first.nodes} nodes became ${last.nodes}`);
  check(
    last.listeners <= 1.2 * first.listeners + 20,
    `${place}: ${first.listeners} listeners became ${last.listeners}`,
  );
  await inserter.close();
  await plant.post(`/v1/jobs/${job}/cancel`, {});
  await visitor.leave();
}

// Without compilers: what they make of the page's code grows for minutes, and is no leak.
await play({ boards: `${CHIP}=32`, jsFlags: "--no-opt --no-maglev --no-sparkplug" }, async (scene) => {
  await scene.plant.addUser("operator", "operator");
  const image = await scene.plant.image(firmware(1500));
  for (const place of PLACES) await scene.part(place, () => flat(scene, place, image));
});

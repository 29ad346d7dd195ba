// SPDX-License-Identifier: Apache-2.0
// Every text is at 4.5 : 1 or better (large ones 3 : 1), every sign at 3 : 1, dark and light, also to an eye without
// green cones. A tile that failed differs from one that passed in its sign and in luminance, so also in greyscale.
import { LARGE } from "./browser.mjs";
import { contrastFaults } from "./eyes.mjs";
import { PLACES, eventful } from "./farms.mjs";
import { firmware, until } from "./plant.mjs";
import { play } from "./play.mjs";

const KINDS = { grey: "achromatopsia", deuteranopia: "deuteranopia" };
const THEMES = ["light", "dark"];
const LUMINANCE = 1.8; // between whole tiles, from afar

async function allPages({ browser, plant, check, equal, shot }, theme) {
  const out = await browser.visitor(plant, { theme });
  await out.open();
  await out.page.getByRole("form", { name: "Log in" }).waitFor();
  equal((await out.page.evaluate(contrastFaults)).faults, [], `${theme}: log in`);
  await out.leave();
  const visitor = await browser.enter(plant, "engineer", { theme, viewport: LARGE });
  for (const place of [...PLACES, "trace?q=WO-4711", "trace?q=SN000001"]) {
    await visitor.go(place);
    await visitor.quiet();
    const { looked, faults } = await visitor.page.evaluate(contrastFaults);
    check(looked >= 15, `${theme}: ${place} has ${looked} texts and signs`);
    equal(faults, [], `${theme}: ${place}`);
    await shot(visitor, `${theme}-${place.replace(/\W+/g, "-")}`);
  }
  await visitor.leave();
}

/** Mean luminance of a picture (linear, 0 to 1), reckoned in an empty page, where no policy keeps one from it. */
async function luminance(browser, png) {
  const page = await browser.chromium.newPage();
  try {
    return await page.evaluate(async (base64) => {
      const bytes = Uint8Array.from(atob(base64), (sign) => sign.charCodeAt(0));
      const bitmap = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
      const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
      const context = canvas.getContext("2d");
      context.drawImage(bitmap, 0, 0);
      const { data } = context.getImageData(0, 0, bitmap.width, bitmap.height);
      const linear = (v) => (v <= 10 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4);
      let sum = 0;
      for (let at = 0; at < data.length; at += 4)
        sum += 0.2126 * linear(data[at]) + 0.7152 * linear(data[at + 1]) + 0.0722 * linear(data[at + 2]);
      return sum / (data.length / 4);
    }, png.toString("base64"));
  } finally {
    await page.close();
  }
}

/** A tile that failed beside one that passed, as an eye sees them that has no colours, or no green. */
async function tilesDiffer({ browser, plant, names, check, equal, shot }, place, theme) {
  const visitor = await browser.enter(plant, "engineer", { viewport: LARGE, theme, place });
  const tile = (name) => visitor.page.locator(`[data-station="${name}"]`);
  const [passed, failed] = [tile(names[0]), tile(names[1])];
  await visitor.until(
    "a pass and a fail",
    async () => /pass/i.test(await passed.innerText()) && /fail/i.test(await failed.innerText()),
  );
  const sign = (which) => which.locator("svg.icon path").first().getAttribute("d");
  const signs = [
    await sign(passed.locator(".tile-outcome, .op-word")),
    await sign(failed.locator(".tile-outcome, .op-word")),
  ];
  check(signs[0] && signs[1] && signs[0] !== signs[1], `${theme} ${place}: signs of pass and fail differ in shape`);
  const devtools = await visitor.devtools();
  for (const [name, type] of Object.entries(KINDS)) {
    await devtools.send("Emulation.setEmulatedVisionDeficiency", { type });
    const [a, b] = [
      await luminance(browser, await passed.screenshot()),
      await luminance(browser, await failed.screenshot()),
    ];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    console.log(`${theme} ${place} ${name}: pass ${a.toFixed(3)}, fail ${b.toFixed(3)}, ratio ${ratio.toFixed(2)}`);
    check(ratio >= LUMINANCE, `${theme} ${place}: in ${name} pass and fail differ by ${ratio.toFixed(2)}`);
    await shot(visitor, `${place}-${theme}-${name}`);
  }
  equal((await visitor.page.evaluate(contrastFaults)).faults, [], `${theme} ${place}: texts of results`);
  await visitor.leave();
}

await play({}, async (scene) => {
  await scene.plant.addUser("engineer", "engineer");
  Object.assign(scene, await eventful(scene.plant));
  const { plant, names } = scene;
  for (const job of (await plant.get("/v1/jobs?state=held")).items) await plant.post(`/v1/jobs/${job.id}/cancel`, {});
  await plant.board("fault", names[1], "nack-write");
  for (const name of names.slice(0, 2)) await plant.board("insert", name);
  const job = await plant.submit(await plant.image(firmware(2500, 7), "other.hex"), {
    stations: names.slice(0, 2),
    trigger: "on_start",
    quantity: 9,
  });
  await plant.post("/v1/start", { stations: names.slice(0, 2) });
  await until("a pass and a fail", async () => {
    const { counts } = await plant.job(job);
    return counts.passed === 1 && counts.failed === 1;
  });
  for (const theme of THEMES) {
    await scene.part(`${theme} pages`, () => allPages(scene, theme));
    for (const place of ["line", "operate"])
      await scene.part(`${theme} ${place}`, () => tilesDiffer(scene, place, theme));
  }
});

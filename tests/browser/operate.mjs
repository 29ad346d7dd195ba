// SPDX-License-Identifier: Apache-2.0
// Operator work with nothing but a scanner, which is a keyboard that types a code and Enter: at most two actions per
// panel, the next step told in a sentence, a result that is read from three metres, commands by bar code, nothing lost.
// And the whole page by keyboard and by screen reader: order of the focus, visible focus, a name for every control.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { LARGE } from "./browser.mjs";
import { PLACES, eventful } from "./farms.mjs";
import { CHIP, Plant, firmware, until } from "./plant.mjs";
import { play } from "./play.mjs";

const names = ["A1", "A2", "A3", "A4"];
const RESULT_PX = 48;

/** Somebody with a scanner in his hand. He has no mouse. */
class Operator {
  constructor(scene, visitor) {
    Object.assign(this, { scene, visitor, page: visitor.page, actions: 0 });
  }

  async scan(code) {
    this.actions++;
    await this.page.keyboard.type(code);
    await this.page.keyboard.press("Enter");
  }

  sentence() {
    return this.page.locator(".op-sentence p").innerText();
  }

  async told(pattern) {
    return this.visitor.until(`the sentence ${pattern}`, async () => {
      const text = (await this.sentence()).trim();
      if (pattern.test(text)) return text;
      throw new Error(text);
    });
  }

  async tile(name, word) {
    await this.visitor.until(`${name} to show ${word}`, async () => {
      const text = await this.page.locator(`[data-station="${name}"]`).innerText();
      if (text.includes(word)) return true;
      throw new Error(text);
    });
  }

  /** What was there before is not there any more. */
  async tileWithout(name, word) {
    await this.visitor.until(`${name} not to show ${word}`, async () => {
      const text = await this.page.locator(`[data-station="${name}"]`).innerText();
      if (!text.includes(word)) return true;
      throw new Error(text);
    });
  }

  async ready() {
    const box = this.page.getByLabel(/^Scan/);
    return this.visitor.until("the focus in the scan box", () =>
      box.evaluate((element) => element === document.activeElement),
    );
  }
}

/** `count` panels of four boards each. */
function panels(prefix, count, codeOf) {
  return Array.from({ length: count * 4 }, (_, at) => {
    const [panel, board] = [Math.floor(at / 4) + 1, (at % 4) + 1];
    return { serial: `${prefix}${panel}-${board}`, code: codeOf(panel, board), station: `A${board}` };
  });
}

async function freshBoards(plant) {
  for (const name of names) {
    await plant.board("fault", name, "none");
    await plant.board("insert", name);
  }
}

/** One code for the whole panel: one action each. */
async function panelCodes({ plant, check, equal, shot }, operator) {
  const job = await plant.submit(await plant.image(firmware(2500)), {
    trigger: "on_start",
    quantity: 12,
    work_order: "WO-10",
    units: panels("P", 3, (panel) => `PANEL-${panel}`),
  });
  await operator.told(/scan/i);
  await shot(operator.visitor, "operate-ready");
  for (const panel of [1, 2, 3]) {
    await freshBoards(plant);
    if (panel === 3) await plant.board("fault", "A3", "nack-write");
    await operator.ready();
    operator.actions = 0;
    await operator.scan(`PANEL-${panel}`);
    for (const name of names) await operator.tile(name, panel === 3 && name === "A3" ? "FAIL" : "PASS");
    const told = await operator.told(panel === 3 ? /1 of 4 failed.*A3/ : /^All 4 passed/);
    check(operator.actions <= 2, `${operator.actions} actions for panel ${panel}: ${told}`);
    await shot(operator.visitor, `operate-panel-${panel}`);
  }
  const runs = await plant.all(`/v1/jobs/${job}/runs`);
  equal(
    runs.map((run) => `${run.serial} ${run.station} ${run.outcome}`).sort(),
    panels("P", 3, () => "").map(
      (unit) => `${unit.serial} ${unit.station} ${unit.serial === "P3-3" ? "fail" : "pass"}`,
    ),
    "each unit was done once, where it lay",
  );
  equal((await plant.job(job)).counts.passed, 11, "eleven passed");
  await resultsAreLarge({ check }, operator);
  return job;
}

async function resultsAreLarge({ check }, operator) {
  for (const name of ["A1", "A3"]) {
    const px = await operator.page
      .locator(`[data-station="${name}"] .op-word`)
      .evaluate((word) => parseFloat(getComputedStyle(word).fontSize));
    check(px >= RESULT_PX, `the result of ${name} is ${px} px high`);
  }
}

/** The board that failed is pressed down and scanned again; then there is nothing left to do. */
async function again({ plant, check }, operator, job) {
  await plant.board("fault", "A3", "none");
  await plant.board("reset", "A3");
  await operator.scan("PANEL-3");
  await operator.tile("A3", "PASS");
  const done = await plant.jobEnds(job);
  check(done.counts.passed === 12 && done.counts.failed === 1, `the order is complete: ${JSON.stringify(done.counts)}`);
}

/** Boards without codes: put in, scan START. */
async function startCode({ plant, check }, operator) {
  const job = await plant.submit(await plant.image(firmware(2500, 3)), {
    trigger: "on_start",
    quantity: 7,
    work_order: "WO-11",
  });
  await operator.told(/WO-11/);
  await freshBoards(plant);
  operator.actions = 0;
  await operator.scan("FF-START");
  await operator.told(/^All 4 passed/);
  check(operator.actions <= 2, `${operator.actions} actions`);
  await freshBoards(plant);
  await operator.scan("FF-SKIP-A2");
  await operator.tile("A2", "SKIP");
  await operator.scan("FF-START");
  const done = await plant.jobEnds(job);
  check(done.counts.started === 7, `A2 was left out of the second start: ${JSON.stringify(done.counts)}`);
}

/** A PASS is of the board that lies there now: not of one before it, whoever has worked at the station since. */
async function whosePass({ plant, check }, operator) {
  const image = await plant.image(firmware(2500, 6));
  const job = await plant.submit(image, { trigger: "on_start", quantity: 40, work_order: "WO-14" });
  await operator.told(/START/);
  await freshBoards(plant);
  await operator.scan("FF-START");
  await operator.told(/^All 4 passed/);
  await operator.scan("FF-HOLD");
  await plant.jobEnds(job, "held");
  await plant.board("fault", "A2", "silent");
  await plant.jobEnds(await plant.submit(image, { stations: ["A2"], trigger: "immediate", work_order: "OTHER" }));
  await operator.tileWithout("A2", "PASS"); // another order had no contact there
  check(!/^All 4/.test(await operator.sentence()), "four boards are no longer there");
  await operator.scan("FF-RESUME");
  await plant.jobEnds(job, "running");
  await freshBoards(plant);
  await operator.scan("FF-START");
  await operator.told(/^All 4 passed/);
  await freshBoards(plant);
  await plant.post("/v1/start", { stations: ["A1", "A3"] }); // somebody else's button
  for (const name of ["A2", "A4"]) await operator.tileWithout(name, "PASS");
  await operator.tile("A3", "PASS");
  await operator.page.reload();
  await operator.visitor.settled();
  await operator.tile("A3", "PASS");
  for (const name of ["A2", "A4"]) await operator.tileWithout(name, "PASS");
  await plant.post(`/v1/jobs/${job}/cancel`, {});
}

async function commands({ plant, check, equal }, operator) {
  const job = await plant.submit(await plant.image(firmware(2500, 4)), {
    trigger: "on_start",
    quantity: 4,
    work_order: "WO-12",
    units: panels("B", 1, (_, board) => `B-${board}`),
  });
  await operator.told(/WO-12/);
  await operator.scan("FF-HOLD");
  await plant.jobEnds(job, "held");
  await operator.told(/held/);
  await operator.scan("FF-RESUME");
  await plant.jobEnds(job, "running");
  await operator.told(/scan/i);
  const head = async () => (await plant.get("/v1/ledger/head")).sequence;
  const before = await head();
  await operator.scan("FF-BADGE-0815");
  await operator.told(/badge/i);
  await operator.scan("NOBODY-KNOWS");
  const told = await operator.told(/NOBODY-KNOWS|no unit|not/i);
  check(told.length > 20, `an unknown code is refused with a sentence: ${told}`);
  await operator.scan("FF-NONSENSE");
  await operator.told(/no command/);
  equal(await head(), before, "nothing of that reached the record");
  equal((await plant.job(job)).counts.started, 0, "and nothing was started");
  return job;
}

/** A scan that is interrupted for as long as somebody likes is whole in the end, whatever the daemon tells meanwhile. */
async function slowTyping({ plant, check }, operator, job) {
  await freshBoards(plant);
  await operator.scan("FF-CLEAR");
  await operator.tile("A4", "SCAN");
  await operator.page.keyboard.type("B-");
  await plant.board("unplug", "A4"); // the tiles are drawn anew
  await operator.tile("A4", "NO PORT");
  await plant.board("replug", "A4");
  await operator.tile("A4", "SCAN");
  await operator.page.keyboard.type("1");
  await operator.page.keyboard.press("Enter");
  await operator.tile("A1", "PASS");
  for (const board of [2, 3, 4]) await operator.scan(`B-${board}`);
  const done = await plant.jobEnds(job);
  check(done.counts.passed === 4, "four boards by four scans, one after the other without waiting");
}

/** Scans that come faster than answers are all taken, in order. */
async function noConnection({ plant, check, equal }, operator) {
  const job = await plant.submit(await plant.image(firmware(2500, 5)), {
    trigger: "on_start",
    quantity: 4,
    work_order: "WO-13",
    units: panels("C", 1, (_, board) => `C-${board}`),
  });
  await operator.told(/WO-13/);
  await plant.killDaemon();
  await operator.told(/connection/i);
  await operator.scan("C-1");
  check(/not sent|again/i.test(await operator.told(/C-1/)), "a scan without the daemon is refused aloud");
  await plant.startDaemon();
  await operator.visitor.settled();
  equal((await plant.job(job)).counts.started, 0, "and was not done behind anybody's back");
  await plant.post(`/v1/jobs/${job}/cancel`, {});
}

/** The codes are shown to be printed; each says in letters what its bars say. */
async function printedCodes({ check, equal, shot }, operator) {
  await operator.visitor.go("operate/codes");
  await operator.page.getByRole("heading", { name: /Command bar codes/ }).waitFor();
  await shot(operator.visitor, "operate-codes");
  const drawn = await operator.page
    .getByRole("img", { name: /^Bar code/ })
    .evaluateAll((codes) =>
      codes.map((code) => [code.getAttribute("aria-label"), code.closest("li").querySelector("code").textContent]),
    );
  check(drawn.length >= 5 + names.length, `${drawn.length} codes`);
  for (const [label, text] of drawn) equal(label, `Bar code ${text}`, "letters and bars");
  for (const code of ["FF-START", "FF-HOLD", "FF-RESUME", "FF-SKIP-A2"])
    check(
      drawn.some(([, text]) => text === code),
      `${code} can be printed`,
    );
  await operator.visitor.go("operate");
}

// --- keyboard and screen reader ----------------------------------------------------------------------------------

/** What has the focus: its name and place, and how it shows that it has it. */
function focused() {
  const element = document.activeElement;
  if (!element || element === document.body) return null;
  const style = getComputedStyle(element);
  const box = element.getBoundingClientRect();
  const number = [...document.querySelectorAll("*")].indexOf(element);
  return {
    number,
    x: box.left,
    y: box.top,
    width: box.width,
    name: element.getAttribute("aria-label") || element.innerText || element.tagName,
    visible: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
  };
}

/** Every control is reached by Tab, in the order of the page, and shows it. */
async function tabOrder({ check, equal }, visitor, place) {
  await visitor.go(place);
  await visitor.quiet();
  await visitor.page.evaluate(() => document.activeElement?.blur());
  const wanted = await visitor.page.evaluate(
    () =>
      [...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex]")].filter(
        (element) =>
          !element.disabled &&
          element.tabIndex >= 0 &&
          element.checkVisibility({ visibilityProperty: true }) &&
          !(element.type === "radio" && !element.checked),
      ).length,
  );
  const seen = [];
  for (let at = 0; at < wanted + 10; at++) {
    await visitor.page.keyboard.press("Tab");
    const now = await visitor.page.evaluate(focused);
    if (!now) continue; // the browser's own controls; then it begins anew
    if (seen.some((one) => one.number === now.number)) break;
    seen.push(now);
  }
  check(seen.length >= wanted - 1, `${place}: Tab reaches ${seen.length} of ${wanted} controls`);
  equal(
    seen.filter((one) => !one.visible).map((one) => one.name),
    [],
    `${place}: every focus is visible`,
  );
  const numbers = seen.map((one) => one.number);
  const turns = numbers.filter((number, at) => at > 0 && number < numbers[at - 1]).length;
  check(turns <= 1, `${place}: the focus goes in the order of the page, ${turns} turns back`);
}

/** axe-core's rules, but those on colours (contrast.mjs looks at them), and those that only advise. */
async function screenReader({ equal, work }, visitor, place) {
  await visitor.go(place);
  await visitor.quiet();
  const report = await visitor.page.evaluate(async () => {
    const options = {
      resultTypes: ["violations"],
      rules: { "color-contrast": { enabled: false } },
      runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    };
    const { violations } = await window.axe.run(document, options);
    return violations.map(
      (one) =>
        `${one.id}: ${one.nodes
          .slice(0, 4)
          .map((node) => node.html.slice(0, 120))
          .join(" | ")}`,
    );
  });
  equal(report, [], `${visitor.user} at ${place}: what a screen reader would stumble over`);
}

async function allPages(scene) {
  const plant = (scene.plant = await Plant.start(scene.programs, {}));
  for (const role of ["engineer", "operator"]) await plant.addUser(role, role);
  const { names: stations, image } = await eventful(plant);
  await plant.submit(image, { stations: stations.slice(0, 2), trigger: "on_start", work_order: "WO-14" });
  const axe = createRequire(join(scene.work, "package.json")).resolve("axe-core/axe.min.js");
  const places = [...PLACES, "operate/codes", "trace?q=SN000001"];
  await scene.part("tab order", async () => {
    const visitor = await scene.browser.enter(plant, "engineer");
    for (const place of places) await tabOrder(scene, visitor, place);
    await visitor.leave();
  });
  await scene.part("screen reader", async () => {
    const visitor = await scene.browser.enter(plant, "engineer", { script: readFileSync(axe, "utf8") });
    for (const place of places) await screenReader(scene, visitor, place);
    await visitor.leave();
  });
}

await play({ boards: `${CHIP}=4` }, async (scene) => {
  await scene.plant.addUser("operator", "operator");
  const visitor = await scene.browser.enter(scene.plant, "operator", { viewport: LARGE, place: "operate" });
  await visitor.settled();
  const operator = new Operator(scene, visitor);
  let job;
  await scene.part("panel codes", async () => (job = await panelCodes(scene, operator)));
  await scene.part("again", () => again(scene, operator, job));
  await scene.part("START", () => startCode(scene, operator));
  await scene.part("whose PASS", () => whosePass(scene, operator));
  await scene.part("commands", async () => (job = await commands(scene, operator)));
  await scene.part("slow typing", () => slowTyping(scene, operator, job));
  await scene.part("no connection", () => noConnection(scene, operator));
  await scene.part("printed codes", () => printedCodes(scene, operator));
  await visitor.leave();
  await scene.plant.close();
  await allPages(scene);
});

// SPDX-License-Identifier: Apache-2.0
// One box finds a board by its serial, its chip UID, its work order, its image, its run and its job; its history is the
// record's; the CSV is the interface's; and the proof that the page writes is checked offline by `flashfarm audit check`.
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { LARGE } from "./browser.mjs";
import { firmware } from "./plant.mjs";
import { play } from "./play.mjs";

async function makeHistory(plant) {
  const image = await plant.image(firmware(2500), "controller.hex");
  await plant.post("/v1/serial-pools", { name: "boards", first: 1, last: 9999, format: { prefix: "SN", digits: 6 } });
  await plant.board("fault", "A1", "nack-write");
  const first = await plant.submit(image, { stations: ["A1"], serial_pool: "boards", work_order: "WO-30" });
  await plant.jobEnds(first);
  await plant.board("fault", "A1", "none");
  await plant.board("reset", "A1");
  const second = await plant.submit(image, { stations: ["A1", "A2"], serial_pool: "boards", work_order: "WO-31" });
  await plant.jobEnds(second);
  const runs = await plant.all("/v1/runs");
  return {
    image,
    first,
    second,
    runs,
    serial: runs.find((run) => run.station === "A1" && run.outcome === "pass").serial,
  };
}

/** As a scanner types it: into the box, which has the focus. */
async function search(visitor, text) {
  await visitor.go("trace");
  const box = visitor.page.getByRole("searchbox");
  await visitor.until("the focus in the search box", () =>
    box.evaluate((element) => element === document.activeElement),
  );
  await visitor.page.keyboard.type(text);
  await visitor.page.keyboard.press("Enter");
  await visitor.page.waitForURL((url) => url.hash.includes("q="));
  await visitor.quiet();
}

async function meanings(scene, visitor, history) {
  const { check, shot } = scene;
  const run = history.runs.find((one) => one.serial === history.serial && one.outcome === "pass");
  const asked = {
    serial: [history.serial, [`Serial ${history.serial}`, "write", "pass"]],
    uid: [run.uid, [history.serial]],
    "UID in capitals": [run.uid.toUpperCase(), [history.serial]],
    "work order": ["WO-31", ["WO-31", history.serial]],
    "image by hash": [history.image, ["controller.hex"]],
    "image by the beginning of its hash": [history.image.slice(0, 10), ["controller.hex"]],
    "image by name": ["controller.hex", [history.image.slice(0, 8)]],
    run: [`run ${run.id}`, [history.serial]],
    job: [`job ${history.second}`, ["WO-31"]],
    "what nobody knows": ["SN999999X", ["Nothing is known"]],
  };
  for (const [meaning, [text, wanted]] of Object.entries(asked)) {
    await search(visitor, text);
    const main = visitor.page.getByRole("main");
    let shown = "";
    await visitor
      .until(meaning, async () => {
        shown = await main.innerText();
        return wanted.every((words) => shown.includes(words));
      })
      .catch(() => undefined);
    check(
      wanted.every((words) => shown.includes(words)),
      `${meaning}: ${text} finds ${wanted}; shown: ${shown.slice(0, 300)}`,
    );
    await shot(visitor, `trace-${meaning.replace(/\W+/g, "-")}`);
  }
}

/** Both attempts of the board, in order, each with what the record says of it. */
async function timeline({ plant, equal }, visitor, history) {
  await search(visitor, history.serial);
  const list = visitor.page.getByRole("list", { name: /History/ });
  await list.waitFor();
  const texts = await list.locator("> li").allInnerTexts();
  const runs = (await plant.get(`/v1/units/${history.serial}`)).runs.sort((a, b) => a.id - b.id);
  equal(
    texts.map((text) => [
      Number(/run (\d+)/.exec(text)[1]),
      /pass/.test(text.split("\n")[0]) || /write/.test(text.split("\n")[0]),
    ]),
    runs.map((run) => [run.id, true]),
    "the attempts, oldest first",
  );
  equal(
    runs.map((run) => run.outcome),
    ["fail", "pass"],
    "one failed, one passed",
  );
}

async function download(visitor, control) {
  const [file] = await Promise.all([visitor.page.waitForEvent("download"), control.click()]);
  return { name: file.suggestedFilename(), text: readFileSync(await file.path(), "utf8") };
}

async function csv({ plant, check, equal }, visitor, history) {
  await search(visitor, history.serial);
  const { name, text } = await download(visitor, visitor.page.getByRole("link", { name: "Runs as CSV" }));
  const wanted = await plant.ask("GET", `/v1/runs?serial=${history.serial}`, { headers: { Accept: "text/csv" } });
  equal(text, wanted.text, "the CSV is the interface's");
  check(name.endsWith(".csv"), `its name: ${name}`);
  equal(text.trim().split(/\r?\n/).length, 3, "two runs and a head");
}

async function proof({ plant, programs, check }, visitor, history) {
  await search(visitor, history.serial);
  const { text } = await download(visitor, visitor.page.getByRole("button", { name: /^Proof/ }));
  const [file, key] = [join(plant.dir, "unit.proof"), join(plant.dir, "line.pub")];
  writeFileSync(file, text);
  writeFileSync(key, (await plant.ask("GET", "/v1/ledger/key")).text);
  const audit = (path) =>
    spawnSync(programs.command, ["audit", "check", path, "--public-key", key], { encoding: "utf8" });
  const said = audit(file);
  check(said.status === 0, `flashfarm audit check takes it: ${said.status} ${said.stdout}${said.stderr}`);
  check(said.stdout.includes("in order"), `and says so: ${said.stdout}`);
  writeFileSync(file, text.replace(/"outcome":"fail"/, '"outcome":"pass"'));
  check(audit(file).status !== 0, "changed by one word it is refused");
}

/** The ledger is not for operators: no proof is offered to them. */
async function roles({ browser, plant, equal }, history) {
  for (const [role, count] of [
    ["operator", 0],
    ["auditor", 1],
  ]) {
    const visitor = await browser.enter(plant, role, { place: `trace?q=${history.serial}` });
    await visitor.page.getByRole("list", { name: /History/ }).waitFor();
    equal(await visitor.page.getByRole("button", { name: /^Proof/ }).count(), count, `proofs offered to ${role}`);
    await visitor.leave();
  }
}

await play({}, async (scene) => {
  const { plant } = scene;
  for (const role of ["operator", "auditor", "engineer"]) await plant.addUser(role, role);
  const history = await makeHistory(plant);
  const visitor = await scene.browser.enter(plant, "engineer", { viewport: LARGE, place: "trace" });
  await scene.part("meanings", () => meanings(scene, visitor, history));
  await scene.part("timeline", () => timeline(scene, visitor, history));
  await scene.part("CSV", () => csv(scene, visitor, history));
  await scene.part("proof", () => proof(scene, visitor, history));
  await scene.part("roles", () => roles(scene, history));
});

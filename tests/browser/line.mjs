// SPDX-License-Identifier: Apache-2.0
// The line view of a job from the first insertion to the last pass, with what goes wrong on the way: failures, a job
// that holds itself, a port that is lost, a daemon that is killed and comes back. What it shows is what the daemon says.
import { LARGE } from "./browser.mjs";
import { CHIP, firmware, until } from "./plant.mjs";
import { play } from "./play.mjs";
import { View } from "./view.mjs";

const FIRMWARE = firmware(9000); // a second or two of a paced board
const names = ["A1", "A2", "A3", "A4"];

/** Keeps every text that a tile has shown. */
function watchTiles() {
  window.shown = {};
  for (const tile of document.querySelectorAll("[data-station]")) {
    const texts = (window.shown[tile.dataset.station] = []);
    const note = () => {
      if (texts.at(-1) !== tile.innerText) texts.push(tile.innerText);
    };
    note();
    new MutationObserver(note).observe(tile, { subtree: true, childList: true, characterData: true });
  }
}

async function wholeJob({ plant, check, equal, shot }, view) {
  for (const name of names) await plant.board("remove", name);
  const job = await plant.submit(await plant.image(FIRMWARE, "fw.hex"), {
    trigger: "on_insert",
    quantity: 4,
    work_order: "WO-1",
  });
  await view.page.getByRole("heading", { name: "WO-1" }).waitFor();
  for (const name of names) await view.shows(name, "waiting");
  await view.page.evaluate(watchTiles);
  await plant.board("insert", "A1");
  await view.shows("A1", "running", "write", "%");
  await shot(view.visitor, "line-running");
  await view.shows("A1", "pass");
  const texts = (await view.page.evaluate(() => window.shown)).A1;
  const percents = texts
    .map((text) => Number(/(?:connect|identify|erase|write|verify)\s+(\d+) %/.exec(text)?.[1] ?? -1))
    .filter((value) => value >= 0);
  check(new Set(percents).size >= 4, `progress was seen: ${percents}`);
  check(
    percents.every((value, at) => at === 0 || value >= percents[at - 1]),
    `it goes up: ${percents}`,
  );
  for (const phase of ["write", "verify"])
    check(
      texts.some((text) => text.includes(phase)),
      `phase ${phase} was seen`,
    );
  await view.agrees(job, "counts after the first unit");
  await plant.board("remove", "A1");
  await view.shows("A1", "waiting");
  for (const name of ["A2", "A3", "A4"]) await plant.board("insert", name);
  await plant.jobEnds(job);
  for (const name of ["A2", "A3", "A4"]) await view.shows(name, "pass");
  await view.agrees(job, "counts after the last unit");
  await view.lastUnitsAgree("the last units after the job");
  equal(
    await view.page.getByRole("region", { name: "Last units" }).getByRole("listitem").count(),
    4,
    "four units are listed",
  );
}

async function failures({ plant, shot, equal }, view) {
  await plant.board("fault", "A2", "nack-write");
  for (const name of ["A1", "A3"]) await plant.board("insert", name);
  await plant.board("fault", "A3", "bad-cell");
  await plant.board("fault", "A4", "wrong-id");
  const job = await plant.submit(await plant.image(FIRMWARE), { quantity: 4, work_order: "WO-2" });
  await view.shows("A1", "pass");
  await view.shows("A2", "fail", "write");
  await view.shows("A3", "fail", "verify");
  await view.shows("A4", "aborted", "wrong-chip");
  await view.agrees(job, "counts with failures");
  await view.lastUnitsAgree("the last units with failures");
  const pareto = await view.page
    .getByRole("region", { name: "Most frequent failures" })
    .getByRole("row")
    .allInnerTexts();
  equal(
    pareto.map((row) => row.replace(/\s+/g, " ").trim()).sort(),
    ["A2 write 1", "A3 verify 1", "A4 wrong-chip 1"],
    "the Pareto",
  );
  await shot(view.visitor, "line-failures");
  for (const name of names) await plant.board("fault", name, "none");
  await plant.board("insert", "A3");
}

async function holdsItself({ plant, shot }, view) {
  await plant.board("fault", "A1", "silent");
  const job = await plant.submit(await plant.image(FIRMWARE), {
    stations: ["A2"],
    quantity: 9,
    trigger: "on_start",
    work_order: "WO-3",
    hold_after_failures: 1,
  });
  await plant.board("fault", "A2", "nack-write");
  await plant.post("/v1/stations/A2/start");
  await plant.jobEnds(job, "held");
  const alarms = view.page.getByRole("region", { name: "Alarms" });
  await alarms.getByText(`Job ${job} held`).waitFor();
  await view.page.getByRole("link", { name: "1 alarm" }).waitFor();
  await shot(view.visitor, "line-held");
  await alarms.getByRole("button", { name: /^Ack: / }).click();
  await view.page.getByRole("link", { name: /alarm/ }).waitFor({ state: "detached" });
  await plant.post(`/v1/jobs/${job}/cancel`, {});
  await alarms.getByText(`Job ${job} held`).waitFor({ state: "detached" });
  for (const name of names) await plant.board("fault", name, "none");
}

async function portLost({ plant, shot }, view) {
  await plant.board("unplug", "A4");
  await view.shows("A4", "port-lost");
  await view.page.getByRole("region", { name: "Alarms" }).getByText("A4 port-lost").waitFor();
  await shot(view.visitor, "line-port-lost");
  await plant.board("replug", "A4");
  await view.page.getByRole("region", { name: "Alarms" }).getByText("A4 port-lost").waitFor({ state: "detached" });
}

/** Killed in the middle of four runs: the page says so, comes back by itself, tells what it missed, and is right. */
async function restart({ plant, check, shot }, view) {
  const job = await plant.submit(await plant.image(FIRMWARE), {
    trigger: "on_insert",
    quantity: 40,
    work_order: "WO-4",
  });
  for (const name of names) await plant.board("insert", name);
  for (const name of names) await view.shows(name, "running", "write");
  await plant.killDaemon();
  await view.page.getByText("not connected").waitFor();
  await plant.startDaemon();
  await view.visitor.settled(); // nobody has to log in again
  const missed = view.page.locator(".missed");
  await missed.waitFor();
  await shot(view.visitor, "line-missed");
  const told = await missed.innerText();
  check(/4/.test(told) && /unknown|did not/.test(told), `what was missed is told: ${told}`);
  await until("four runs that nobody knows of", async () => (await plant.job(job)).counts.unknown === 4);
  await view.agrees(job, "counts after the daemon came back");
  await view.lastUnitsAgree("the last units after the daemon came back");
  await missed.getByRole("button", { name: "Seen" }).click();
  await missed.waitFor({ state: "detached" });
  for (const name of names) await plant.board("insert", name);
  await until("four more", async () => (await plant.job(job)).counts.passed >= 4);
  await plant.post(`/v1/jobs/${job}/cancel`, {});
  for (const name of names) await view.shows(name, "pass");
  await view.agrees(job, "counts of what came after");
  await view.lastUnitsAgree("the last units in the end");
}

/** Nothing is heard for half a minute (the page's clock is put forward): nothing may look alive. */
async function silence({ plant, browser, shot }) {
  const visitor = await browser.visitor(plant, { viewport: LARGE });
  await visitor.page.clock.install();
  await visitor.logIn("operator");
  await visitor.settled();
  plant.daemon.kill("SIGSTOP");
  try {
    await visitor.page.clock.fastForward(32_000);
    await visitor.page.getByRole("alert").getByText("STALE").waitFor();
    await shot(visitor, "line-stale");
  } finally {
    plant.daemon.kill("SIGCONT");
  }
  await visitor.until("the veil to be gone", async () => {
    await visitor.page.clock.fastForward(1000);
    return (await visitor.page.getByText("STALE").count()) === 0;
  });
  await visitor.leave();
}

await play({ boards: `${CHIP}=4`, sim: ["--pace"] }, async (scene) => {
  await scene.plant.addUser("operator", "operator");
  const view = new View(scene, await scene.browser.enter(scene.plant, "operator", { viewport: LARGE }));
  await scene.part("whole job", () => wholeJob(scene, view));
  await scene.part("failures", () => failures(scene, view));
  await scene.part("holds itself", () => holdsItself(scene, view));
  await scene.part("port lost", () => portLost(scene, view));
  await scene.part("restart", () => restart(scene, view));
  await scene.part("silence", () => silence(scene));
});

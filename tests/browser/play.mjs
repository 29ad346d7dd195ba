// SPDX-License-Identifier: Apache-2.0
// What every test here is made of: play() gives it a plant and a browser, counts what it checks, and keeps a picture of
// the page and the daemon's log when something is wrong.
//
// usage of each: node TEST.mjs FLASHFARMD FLASHFARM-SIM FLASHFARM WORK-DIR [--only PART] [--shots DIR] [--minutes N]
import { mkdirSync, writeFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { Browser } from "./browser.mjs";
import { SKIPPED, isInstalled } from "./install.mjs";
import { Plant } from "./plant.mjs";

function read() {
  const options = { only: { type: "string" }, shots: { type: "string" }, minutes: { type: "string" } };
  const { values, positionals } = parseArgs({ options, allowPositionals: true });
  const [daemon, sim, command, work] = positionals;
  if (!work) {
    console.error(`usage: node ${basename(process.argv[1])} FLASHFARMD FLASHFARM-SIM FLASHFARM WORK-DIR`);
    process.exit(2);
  }
  if (!isInstalled(work)) {
    console.log(`skipped: run node install.mjs ${work} first`);
    process.exit(SKIPPED);
  }
  return { programs: { daemon, sim, command }, work: resolve(work), ...values };
}

/** Of one test: its parts, and what went wrong in them. */
export class Play {
  constructor(options) {
    Object.assign(this, options);
    this.name = basename(process.argv[1], ".mjs");
    this.count = 0;
    this.failed = [];
  }

  check = (good, what) => {
    this.count++;
    if (!good) {
      this.failed.push(what);
      console.error(`FAILED: ${this.name}: ${what}`);
    }
    return good;
  };

  equal = (got, want, what) => {
    const [a, b] = [JSON.stringify(got), JSON.stringify(want)];
    return this.check(a === b, `${what}: got ${a}, want ${b}`);
  };

  /** One matter of the test; what is thrown in it fails it, and the next ones are played all the same. */
  part = async (name, body) => {
    if (this.only && !name.includes(this.only)) return;
    const before = this.failed.length;
    const began = Date.now();
    try {
      await body();
    } catch (error) {
      this.check(false, `${name}: ${error.stack}`);
    }
    if (this.failed.length > before) await this.keep(name);
    console.log(`${name}: ${this.failed.length > before ? "FAILED" : "ok"}, ${Date.now() - began} ms`);
  };

  /** What somebody needs who looks for the reason. */
  async keep(name) {
    const folder = join(this.work, "failed");
    mkdirSync(folder, { recursive: true });
    const stem = join(folder, `${this.name}-${name.replace(/\W+/g, "-")}`);
    if (this.plant) writeFileSync(`${stem}.log`, this.plant.log.join("\n"));
    for (const [at, visitor] of (this.browser?.visitors ?? []).entries())
      await visitor.picture(`${stem}-${at}.png`).catch((error) => console.error(`no picture: ${error.message}`));
    console.error(`kept: ${stem}*`);
  }

  /** A picture for people, when they asked for some. */
  shot = async (visitor, name) => {
    if (!this.shots) return;
    mkdirSync(this.shots, { recursive: true });
    await visitor.picture(join(this.shots, `browser-${name}.png`));
  };
}

/** Plays `body` with a plant as `setting` has it (null: the body starts its own), and ends the process. */
export async function play(setting, body) {
  const options = read();
  const scene = new Play(options);
  for (const signal of ["SIGTERM", "SIGINT"]) process.once(signal, () => process.exit(1)); // children go with this one
  try {
    scene.browser = await Browser.start(options.work, setting?.jsFlags);
    if (setting) scene.plant = await Plant.start(options.programs, setting);
    await body(scene);
    scene.equal(scene.browser.complaints(), [], "what pages complained of");
  } catch (error) {
    scene.check(false, error.stack);
    await scene.keep("end");
  }
  await scene.browser?.close();
  if (scene.plant) scene.equal(await scene.plant.close(), 0, "the daemon's exit status");
  console.log(`${scene.name}: ${scene.count} checks, ${scene.failed.length} failed`);
  process.exit(scene.failed.length ? 1 : 0);
}

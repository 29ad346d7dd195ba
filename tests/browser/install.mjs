// SPDX-License-Identifier: Apache-2.0
// Brings what the browser tests are driven with into WORK-DIR, by npm, unless what is there was made from the same lock.
//
// usage: node install.mjs WORK-DIR
import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

export const SKIPPED = 77; // as ctest is told

const here = dirname(fileURLToPath(import.meta.url));
const FILES = ["package.json", "package-lock.json", ".npmrc"];

/** Whether WORK-DIR holds what the lock file names. */
export function isInstalled(work) {
  const copy = join(work, "package-lock.json");
  return (
    existsSync(join(work, "node_modules", ".package-lock.json")) &&
    readFileSync(copy, "utf8") === readFileSync(join(here, "package-lock.json"), "utf8")
  );
}

/** A package, as what is run from `work` would import it. */
export function packageOf(work, name) {
  return createRequire(join(resolve(work), "package.json"))(name);
}

function install(work) {
  mkdirSync(work, { recursive: true });
  for (const name of FILES) copyFileSync(join(here, name), join(work, name));
  const done = spawnSync("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], { cwd: work, encoding: "utf8" });
  if (done.status === 0) return 0;
  console.error(done.stderr || String(done.error));
  if (!/npm (ERR!|error) (network|request to|code E(NOTFOUND|AI_AGAIN|CONNREFUSED|TIMEDOUT))/.test(done.stderr))
    return 1;
  console.log("skipped: npm does not reach its registry");
  return SKIPPED;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const work = process.argv[2];
  if (!work) {
    console.error("usage: node install.mjs WORK-DIR");
    process.exit(2);
  }
  process.exit(isInstalled(work) ? 0 : install(work));
}

// SPDX-License-Identifier: Apache-2.0
/* What a scan does. They are taken one after the other; one that cannot be taken is refused with a sentence. */
import { signal } from "@preact/signals";
import { type Job, answer, asProblem, client } from "../core/api";
import { jobs, link, stale } from "../core/farm";
import { enterKiosk, kiosk, leaveKiosk } from "../core/kiosk";
import { may } from "../core/session";
import { type Scan, readScan } from "./commands";
import { asksForCode, isOpen, jobName, positions, shown } from "./order";
import {
  type RunPage,
  beginAgain,
  expecting,
  forgetPressed,
  newPanel,
  orderInHand,
  placeOfFailed,
  pressedNow,
  runsBefore,
  show,
  skipped,
  toggleSkipped,
} from "./panel";
import { doubt, doubts, namely, patience, say, send } from "./replies";
import { failed, situation } from "./situation";

const BEGIN_MS = 8_000;

export const scanning = signal(false);

/** Which positions have begun since then; with a code, those that have it. */
async function begun(code: string | null, before: ReadonlyMap<string, number>): Promise<string | null> {
  const list = await answer(client.GET("/v1/stations", patience()));
  const asked = client.GET("/v1/runs", { params: { query: { limit: 2 * list.items.length + 2 } }, ...patience() });
  const runs = ((await answer(asked)) as RunPage).items;
  const mine = (station: string, run: number, of: string | null) =>
    run > (before.get(station) ?? 0) && (code === null || of === code);
  const names = new Set(runs.filter((run) => mine(run.station, run.id, run.code)).map((run) => run.station));
  for (const live of list.items)
    if (code === null ? (live.run ?? 0) > (before.get(live.name) ?? 0) : live.code === code) names.add(live.name);
  return names.size > 0 ? `${namely([...names])} ${names.size === 1 ? "has" : "have"} it. Wait for the result.` : null;
}

// --- boards ------------------------------------------------------------------------------------------------------

/** One that was told and does not begin is told of: the operator scans again. */
function watchBegin(scanned: string, names: readonly string[]): void {
  setTimeout(() => {
    const idle = forgetPressed(names);
    if (idle.length) say(scanned, "bad", `${idle.join(", ")} did not begin: scan again.`);
  }, BEGIN_MS);
}

/** Sends what makes boards begin. Their facts may come before the answer: they are of one panel. */
async function sendBegin<T>(...args: Parameters<typeof send<T>>): Promise<T | undefined> {
  expecting.value = "runs";
  const done = await send<T>(...args);
  if (!done) expecting.value = "nothing";
  return done;
}

/** A board that failed is tried again where it lies, even if another position comes first. */
function leftOutFor(code: string): string[] {
  const place = placeOfFailed(code);
  const names = positions.value.map((model) => model.name);
  return names.filter((name) => (place === null ? skipped.value.has(name) : name !== place));
}

async function takeCode(code: string): Promise<void> {
  const chosen = jobs.value.find((job) => job.work_order === code);
  if (chosen) return choose(chosen);
  const before = runsBefore();
  const skip = leftOutFor(code);
  beginAgain([]);
  const done = await sendBegin(code, () => begun(code, before), (signal) =>
    answer(client.POST("/v1/scan", { body: { code, skip }, signal })),
  );
  if (!done) return;
  const names = done.assigned.map((one) => one.station);
  say(code, done.repeated ? "warn" : "plain", done.sentence, done.repeated);
  if (!done.repeated) begin(code, code, names, before);
  expecting.value = "nothing";
}

function begin(scanned: string, code: string, names: readonly string[], before: ReadonlyMap<string, number>): void {
  const home = jobs.value.find((job) => job.state === "running" && names.every((name) => job.stations.includes(name)));
  if (home && !names.every((name) => shown.value?.stations.includes(name))) show(home);
  if (!isOpen(shown.value) && home) show(home);
  skipped.value = new Set();
  if (shown.value?.trigger === "on_start") {
    pressedNow(names, code, before);
    watchBegin(scanned, names);
  }
  expecting.value = "nothing";
}

/** Why START cannot be pressed in this order. */
function noStart(job: Job | null): string | null {
  if (!job) return "No order is chosen: nothing was started.";
  if (job.trigger !== "on_start") return "The boards of this order start by themselves: START is not needed.";
  return job.state === "held" ? `${jobName(job)} is held: scan RESUME first.` : null;
}

/** The positions that wait for START; with `again` only those whose boards failed. What is shown may be older. */
async function toStart(again: boolean): Promise<string[] | string> {
  const boards = failed.value.map((board) => board.name);
  const here = new Set(positions.value.map((model) => model.name));
  const { items } = await answer(client.GET("/v1/stations", patience()));
  const waiting = items.filter((live) => here.has(live.name) && live.state === "waiting");
  const names = waiting
    .filter((live) => !asksForCode(live) && !skipped.value.has(live.name) && (!again || boards.includes(live.name)))
    .map((live) => live.name);
  if (names.length > 0) return names;
  if (waiting.some(asksForCode)) return "Each board of this order has a code: scan the board or the panel.";
  return `No ${again ? "board that failed waits" : "position waits for START"}: nothing was started.`;
}

async function start(scanned: string, again: boolean): Promise<void> {
  const job = orderInHand();
  const why = noStart(job);
  if (why !== null) return say(scanned, "bad", why);
  show(job);
  const names = await toStart(again);
  if (typeof names === "string") return say(scanned, "bad", names);
  const before = runsBefore();
  beginAgain(again ? names : []);
  const done = await sendBegin(scanned, () => begun(null, before), (signal) =>
    answer(client.POST("/v1/start", { body: { stations: names }, signal })),
  );
  if (!done) return;
  say(scanned, "plain", `${namely(done.started)} ${done.started.length === 1 ? "starts" : "start"}.`, false);
  begin(scanned, "", done.started, before);
}

// --- orders ------------------------------------------------------------------------------------------------------

function choose(job: Job): void {
  const same = shown.value?.id === job.id;
  show(job);
  const todo = same ? "Scan a board or a panel." : situation.value.text;
  const text = `${jobName(job)} ${same ? "is what is worked on" : "was chosen"}. ${todo}`;
  say(job.work_order ?? String(job.id), "plain", text, same);
}

/** A number of the list of orders, while one is to be chosen. */
function chosenBy(text: string): Job | undefined {
  if (isOpen(shown.value) || jobs.value.length < 2 || !/^\d{1,2}$/.test(text)) return undefined;
  return jobs.value[Number(text) - 1];
}

async function turn(scanned: string, to: "hold" | "resume"): Promise<void> {
  const job = orderInHand();
  if (!job) return say(scanned, "bad", `No order is chosen: nothing to ${to}.`);
  if (!may(to === "hold" ? "holdJob" : "resumeJob")) return say(scanned, "bad", `You may not ${to} an order.`);
  const wanted = to === "hold" ? "held" : "running";
  if (job.state === wanted) return say(scanned, "warn", `${jobName(job)} is ${wanted} already.`);
  const path = { path: { id: job.id } };
  const ask = async () => {
    const now = await answer(client.GET("/v1/jobs/{id}", { params: path, ...patience() }));
    return now.state === job.state ? null : `${jobName(job)} is ${now.state}.`;
  };
  const done = await send(scanned, ask, (signal) =>
    answer(client.POST(`/v1/jobs/{id}/${to}`, { params: { ...path }, signal })),
  );
  if (done) say(scanned, to === "hold" ? "warn" : "plain", `${jobName(job)} is ${done.state}.`, false);
}

function skip(scanned: string, station: string): void {
  if (shown.value?.trigger !== "on_start")
    return say(scanned, "bad", "The boards of this order start by themselves: leave the place empty instead.");
  const left = toggleSkipped(station);
  const todo = situation.value.key.startsWith("ready") ? ` ${situation.value.text}` : "";
  say(scanned, "plain", (left ? `${station} is left out of the next start.` : `${station} takes part again.`) + todo);
}

function clear(scanned: string): void {
  skipped.value = new Set();
  if (jobs.value.length !== 1) show(null);
  else newPanel();
  say(scanned, "plain", "Cleared.", false);
}

// --- all ---------------------------------------------------------------------------------------------------------

async function act(text: string, scan: Scan): Promise<void> {
  switch (scan.kind) {
    case "refused":
      return say(text, "bad", scan.why);
    case "start":
    case "again":
      return start(text, scan.kind === "again");
    case "hold":
    case "resume":
      return turn(text, scan.kind);
    case "skip":
      return skip(text, scan.station);
    case "clear":
      return clear(text);
    case "full":
      return toggleKiosk();
    case "code":
      return takeCode(scan.code);
  }
}

async function take(text: string): Promise<void> {
  const job = chosenBy(text);
  if (job) return choose(job);
  const scan = readScan(text, positions.value.map((model) => model.name));
  if (link.value !== "live" || stale.value)
    return say(text, "bad", `No connection to the daemon: ${text} was not sent. Scan it again when it is back.`);
  if (!may("startStation")) return say(text, "bad", "You may not start boards: log in as an operator.");
  scanning.value = true;
  try {
    await act(text, scan);
  } finally {
    scanning.value = false;
  }
}

export function toggleKiosk(): void {
  if (kiosk.value) leaveKiosk();
  else enterKiosk();
}

let queue: Promise<void> = Promise.resolve();

/** What waited behind a scan that came into doubt is too old to be acted on. */
async function takeIfSure(text: string, doubtsThen: number): Promise<void> {
  if (doubts.value === doubtsThen) return take(text);
  say(text, "bad", `${text} was not taken, because the scan before it was in doubt: scan it again.`);
}

/** Takes what a scanner, or a person, has typed. Full screen wants the key press itself, so that it does not wait. */
export function takeScan(typed: string): void {
  const text = typed.trim();
  if (!text) return;
  if (readScan(text, []).kind === "full") return toggleKiosk();
  if (doubt.value !== null)
    return say(text, "bad", `${text} was not taken: wait until it is known what became of ${doubt.value}.`);
  const doubtsNow = doubts.value;
  queue = queue
    .then(() => takeIfSure(text, doubtsNow))
    .catch((thrown: unknown) => say(text, "bad", `${text} did nothing: ${asProblem(thrown).message}`));
}

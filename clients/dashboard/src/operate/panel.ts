// SPDX-License-Identifier: Apache-2.0
/* What became of the boards of the present panel, which is all that was begun since nothing was in work the last time.
 * Facts say it; the record is asked when the page begins or was away. Boards that are put in one by one (on_insert) are
 * no panel: there each position shows its own last board. */
import { batch, computed, effect, signal, untracked } from "@preact/signals";
import { type Job, type Run, type Station, answer, client } from "../core/api";
import { jobs, lastFact, stations } from "../core/farm";
import type { Fact, JobState, RunEnded, RunStarted } from "../core/facts";
import { asksForCode, isOpen, positions, shown } from "./order";

export interface BoardRun {
  run: number;
  /** null while it is in work */
  outcome: string | null;
  failure: string;
  message: string;
  serial: string;
  code: string;
}

/** A position that was told to begin, of which no run is known yet. */
interface Pressed {
  code: string;
  /** its newest run before that */
  before: number;
}

/** as JSON: the other form of that list is text */
export type RunPage = { items: Run[] };

const RESULTS_MAX = 1000;
const TOGETHER_MS = 1000; // what somebody else begins so soon after another is of one panel

/** of each position the newest run of the panel */
export const results = signal<ReadonlyMap<string, BoardRun>>(new Map());
export const pressed = signal<ReadonlyMap<string, Pressed>>(new Map());
/** positions that the next start leaves out */
export const skipped = signal<ReadonlySet<string>>(new Set());
/** boards were told to begin here and the answer is not there yet; "begun": their facts came before it */
export const expecting = signal<"nothing" | "runs" | "begun">("nothing");
/** counts the panels */
export const round = signal(0);

const codesOfPanel = new Set<string>();
let begunAt = 0;
/** positions that begin again with the boards that they have */
let again: ReadonlySet<string> = new Set();

/** Whether every board or panel of the order has to be scanned. Reads signals. */
export function wantsCodes(job: Job): boolean {
  if (job.units?.codes || (job.options as { board_code?: unknown }).board_code !== undefined) return true;
  if (shown.value?.id !== job.id) return false;
  const scanned = [...results.value.values()].some((known) => known.code !== "");
  return scanned || positions.value.some(({ live }) => asksForCode(live.value));
}

// --- a position --------------------------------------------------------------------------------------------------

function newestRun(live: Station): number {
  return Math.max(live.run ?? 0, live.last?.run ?? 0, results.peek().get(live.name)?.run ?? 0);
}

/** Whether it was told to begin and has not yet. Reads signals. */
export function isPressed(live: Station): boolean {
  const told = pressed.value.get(live.name);
  if (!told || ["port-lost", "disabled", "stopped"].includes(live.state)) return false;
  const seen = Math.max(live.run ?? 0, live.last?.run ?? 0, results.value.get(live.name)?.run ?? 0);
  return seen <= told.before;
}

export function inWork(live: Station): boolean {
  const known = results.value.get(live.name);
  if (known && known.outcome === null) return true;
  const running = live.run !== null && live.job === shown.value?.id && !(known && known.run >= live.run);
  return running || isPressed(live);
}

/** What the position shows of its board; null: nothing has begun there yet. */
export function resultAt(live: Station): BoardRun | null {
  const known = results.value.get(live.name);
  return known && !isPressed(live) ? known : null;
}

/** Something is in work in the order that is shown. */
export const anyInWork = computed(
  () => expecting.value === "begun" || positions.value.some((model) => inWork(model.live.value)),
);

// --- the panel ---------------------------------------------------------------------------------------------------

export function newPanel(): void {
  batch(() => {
    results.value = new Map();
    pressed.value = new Map();
    again = new Set();
    round.value++;
  });
  codesOfPanel.clear();
}

/** A new panel begins, unless something of the last one is still in work, or the board is one of its own: a retry. */
function beginPanel(name: string, code: string): void {
  const insert = shown.value?.trigger === "on_insert";
  const retry = again.has(name) || (code !== "" && codesOfPanel.has(code));
  // Not what is at work at the stations: that is the new panel's first run already.
  const busy =
    expecting.value === "begun" ||
    positions.value.some(({ live }) => results.value.get(live.value.name)?.outcome === null || isPressed(live.value));
  if (!insert && !retry && results.value.size > 0 && !busy) newPanel();
  if (expecting.value === "runs") expecting.value = "begun";
  if (code) codesOfPanel.add(code);
}

/** What begins at these positions next is another try. */
export function beginAgain(names: readonly string[]): void {
  again = new Set(names);
}

/** Where the only board of the panel with this code is, if it did not pass: it is tried again in the same place. */
export function placeOfFailed(code: string): string | null {
  const places = [...results.value].filter(([, known]) => known.code === code);
  const [name, known] = places[0] ?? [];
  return places.length === 1 && name && known?.outcome && known.outcome !== "pass" ? name : null;
}

/** Newest runs of these positions before they are told to begin; for pressedNow(). */
export function runsBefore(): ReadonlyMap<string, number> {
  return new Map(stations.value.map((model) => [model.name, newestRun(model.live.value)]));
}

export function pressedNow(names: readonly string[], code: string, before: ReadonlyMap<string, number>): void {
  const waiting = names.filter((name) => (results.value.get(name)?.run ?? 0) <= (before.get(name) ?? 0));
  batch(() => {
    beginPanel(names[0] ?? "", code);
    const next = new Map(pressed.value);
    for (const name of waiting) next.set(name, { code, before: before.get(name) ?? 0 });
    pressed.value = next;
    skipped.value = new Set();
  });
}

/** Those of `names` that were told and have not begun are no longer waited for; which they are. */
export function forgetPressed(names: readonly string[]): string[] {
  const idle = positions.value
    .filter((model) => names.includes(model.name) && isPressed(model.live.value))
    .map((model) => model.name);
  const next = new Map(pressed.value);
  for (const name of idle) next.delete(name);
  pressed.value = next;
  return idle;
}

export function toggleSkipped(name: string): boolean {
  const next = new Set(skipped.value);
  if (!next.delete(name)) next.add(name);
  skipped.value = next;
  return next.has(name);
}

// --- which order -------------------------------------------------------------------------------------------------

export function show(job: Job | null): void {
  if (job && shown.peek()?.id === job.id) return;
  batch(() => {
    shown.value = job;
    skipped.value = new Set();
    newPanel();
  });
  if (job) void readRuns(job.id);
}

/** The order that a command is for: the one that is shown, or the only one that is open. */
export function orderInHand(): Job | null {
  if (isOpen(shown.value)) return shown.value;
  return jobs.value.length === 1 ? (jobs.value[0] ?? null) : null;
}

async function readOrder(id: number): Promise<void> {
  const job = await answer(client.GET("/v1/jobs/{id}", { params: { path: { id } } }));
  if (shown.peek()?.id === id) shown.value = job;
}

function followJobs(): void {
  const open = jobs.value;
  const current = untracked(() => shown.value);
  const fresh = current && open.find((job) => job.id === current.id);
  if (fresh) shown.value = fresh;
  else if (current && isOpen(current)) void readOrder(current.id).catch(() => undefined);
  else if (!current && open.length === 1) show(open[0] ?? null);
}

// --- what became of it -------------------------------------------------------------------------------------------

function setResult(name: string, result: BoardRun): void {
  const known = results.value.get(name);
  if (known && (known.run > result.run || (known.run === result.run && known.outcome !== null))) return;
  results.value = new Map(results.value).set(name, result);
}

/** A run of another order: that is what is worked on now, if this one has ended, or it has the code scanned here. */
function turnTo(body: RunStarted): void {
  if (body.job === shown.value?.id) return;
  const job = jobs.value.find((open) => open.id === body.job);
  const told = pressed.value.get(body.station);
  const ours = told !== undefined && told.code !== "" && told.code === body.code;
  const next = !isOpen(shown.value) && (!shown.value || shown.value.stations.includes(body.station));
  if (job && (ours || next)) show(job);
  else if (!job && next) void showNewer(body.job).catch(() => undefined); // the list of open orders has it later
}

/** An order so new, or so short, that it is not in the list of those that are open. */
async function showNewer(id: number): Promise<void> {
  const job = await answer(client.GET("/v1/jobs/{id}", { params: { path: { id } } }));
  if (!isOpen(shown.peek()) && (shown.peek()?.id ?? 0) < id) show(job);
}

function runStarted(body: RunStarted): void {
  turnTo(body);
  if (shown.value?.id !== body.job || (results.value.get(body.station)?.run ?? 0) >= body.id) return;
  const code = body.code ?? "";
  const second = results.value.get(body.station)?.outcome != null; // this position has had its board of the panel
  const together = !second && expecting.value === "nothing" && Date.now() - begunAt < TOGETHER_MS;
  begunAt = Date.now();
  if (!together) beginPanel(body.station, code);
  else if (code) codesOfPanel.add(code);
  setResult(body.station, { run: body.id, outcome: null, failure: "", message: "", serial: body.serial ?? "", code });
}

function runEnded(body: RunEnded): void {
  for (const [name, known] of results.value)
    if (known.run === body.id)
      setResult(name, { ...known, outcome: body.outcome, failure: body.class ?? "", message: body.message ?? "" });
}

function takeFact(fact: Fact): void {
  if (fact.kind === "run.started") runStarted(fact.body as RunStarted);
  else if (fact.kind === "run.ended") runEnded(fact.body as RunEnded);
  else if (fact.kind === "job.state" && (fact.body as JobState).id === shown.value?.id)
    void readOrder(shown.value.id).catch(() => undefined); // the list of open orders says so too, later
}

/** Of runs, newest first, those of the last panel: until a position comes a second time, or a run that had ended before
 * any of it began; what has a code of the panel is part of it however long ago it was. */
function lastPanel(runs: readonly Run[]): Map<string, Run> {
  const panel = new Map<string, Run>();
  const codes = new Set<string>();
  let began = "";
  for (const run of runs) {
    const before = began !== "" && run.ended !== null && run.ended < began;
    if (panel.has(run.station) || (before && !(run.code && codes.has(run.code)))) break;
    panel.set(run.station, run);
    if (run.code) codes.add(run.code);
    if (began === "" || run.started < began) began = run.started;
  }
  return panel;
}

function resultOf(run: Run): BoardRun {
  return {
    run: run.id,
    outcome: run.outcome,
    failure: run.class ?? "",
    message: run.message ?? "",
    serial: run.serial ?? "",
    code: run.code ?? "",
  };
}

/** Reads what the facts have not told: at the beginning, and after a break. */
export async function readRuns(id: number): Promise<void> {
  const limit = Math.min(RESULTS_MAX, 2 * stations.peek().length + 2);
  const list = await answer(client.GET("/v1/jobs/{id}/runs", { params: { path: { id }, query: { limit } } }));
  if (shown.peek()?.id !== id) return;
  const first = Math.min(...[...results.peek().values()].map((known) => known.run));
  const runs = (list as RunPage).items.filter((run) => results.peek().size === 0 || run.id >= first);
  batch(() => {
    for (const [name, run] of lastPanel(runs)) {
      setResult(name, resultOf(run));
      if (run.code) codesOfPanel.add(run.code);
    }
  });
}

/** Follows the orders and their boards until the function that it returns is called. */
export function followPanel(): () => void {
  const endings = [
    effect(followJobs),
    effect(() => {
      const fact = lastFact.value;
      if (fact) untracked(() => takeFact(fact));
    }),
    effect(() => {
      void stations.value; // read anew: at the beginning, and after a break
      const id = untracked(() => shown.value?.id);
      if (id !== undefined) void readRuns(id).catch(() => undefined); // the stream says when the daemon is away
    }),
  ];
  return () => endings.forEach((end) => end());
}

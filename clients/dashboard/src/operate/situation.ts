// SPDX-License-Identifier: Apache-2.0
/* What the operator does next, in one sentence: from the link, the order, the boards. */
import { computed } from "@preact/signals";
import type { Job, Station } from "../core/api";
import { type StationModel, jobs, link, stale } from "../core/farm";
import { may } from "../core/session";
import { type Remedy, adviceFor, againWords } from "./advice";
import { byPosition } from "./layout";
import { isOpen, jobName, positions, shown } from "./order";
import { type BoardRun, anyInWork, inWork, resultAt, round, wantsCodes } from "./panel";

export type Tone = "plain" | "busy" | "good" | "bad" | "warn";

export interface Situation {
  /** another key is another situation; what was said about the one before no longer holds */
  key: string;
  tone: Tone;
  text: string;
}

export interface Failed {
  name: string;
  position: string;
  result: BoardRun;
  means: string;
  todo: string;
  remedy: Remedy;
  first?: string;
}

const NAMES_MAX = 5;

/** Whether what lies there now is not the board of this result: it was seen to leave, or another order has worked there. */
export function hasLeft(live: Station, result: BoardRun): boolean {
  const last = live.last;
  return Math.max(live.run ?? 0, last?.run ?? 0) > result.run || (last?.run === result.run && last.gone);
}

/** The result that counts for the panel: of boards put in one by one, only while the board is still in. */
export function panelResult(model: StationModel, job: Job | null): BoardRun | null {
  const live = model.live.value;
  const result = resultAt(live);
  if (!result || inWork(live) || hasLeft(live, result)) return null;
  if (job?.trigger !== "on_insert" || !isOpen(job)) return result;
  return live.state === "removal" || live.run === result.run ? result : null;
}

/** The positions whose boards did not pass, in the order of the fixture. */
export const failed = computed<Failed[]>(() => {
  const job = shown.value;
  const again = againWords(job?.trigger, job !== null && wantsCodes(job));
  const found: Failed[] = [];
  for (const model of [...positions.value].sort(byPosition)) {
    const result = panelResult(model, job);
    if (!result?.outcome || result.outcome === "pass") continue;
    const position = model.live.value.position;
    found.push({ name: model.name, position, result, ...adviceFor(result.outcome, result.failure, again) });
  }
  return found;
});

export const passedCount = computed(
  () => positions.value.filter((model) => panelResult(model, shown.value)?.outcome === "pass").length,
);

function listed(boards: readonly Failed[]): string {
  const names = boards.map((board) => board.name);
  if (names.length <= NAMES_MAX) return names.join(", ");
  return `${names.slice(0, NAMES_MAX - 1).join(", ")} and ${names.length - NAMES_MAX + 1} more`;
}

/** What begins the boards of an order that is not held. */
function howToBegin(job: Job): string {
  const codes = wantsCodes(job);
  if (job.trigger === "on_start") return codes ? "Put the panel in and scan it." : "Put the panel in, then scan START.";
  if (codes) return "Scan each board, then put it in.";
  return job.trigger === "on_insert" ? "Put boards in: each starts by itself." : "The boards start by themselves.";
}

/** Of an order that has ended, and what comes behind it. */
function ended(job: Job): string {
  const text = `${job.state === "done" ? "complete" : "cancelled"}.`;
  const [next, ...others] = jobs.value;
  if (!next) return text;
  if (others.length > 0) return `${text} Choose the next: type its number and Enter.`;
  if (next.state === "held") return `${text} Next: ${held(next)}`;
  return `${text} Next is ${jobName(next)}: ${howToBegin(next).replace(/^./, (first) => first.toLowerCase())}`;
}

function nextPanel(job: Job): string {
  if (!isOpen(job)) return `the order is ${ended(job)}`;
  if (job.trigger === "on_insert") return "put the next boards in.";
  if (job.trigger === "immediate") return "that was the order's last.";
  return wantsCodes(job) ? "put the next in and scan it." : "put the next in and scan START.";
}

/** "press A3 down, check the cable of A5": boards that want the same are named together. */
function beforeAgain(boards: readonly Failed[]): string {
  const groups = new Map<string, Failed[]>();
  for (const board of boards) groups.set(board.first ?? "", [...(groups.get(board.first ?? "") ?? []), board]);
  return [...groups].map(([what, which]) => what.replace("NAMES", listed(which))).join(", ");
}

/** "call an engineer for A7; put A5 aside; press A3 down, then scan it again" */
function remedies(job: Job, boards: readonly Failed[]): string {
  const of = (remedy: Remedy) => boards.filter((board) => board.remedy === remedy);
  const [engineer, bin, again] = [of("engineer"), of("bin"), of("again")];
  const parts: string[] = [];
  if (engineer.length) parts.push(`call an engineer for ${listed(engineer)}`);
  if (bin.length) parts.push(`put ${listed(bin)} aside`);
  if (again.length && isOpen(job))
    parts.push(`${beforeAgain(again)}, then ${againWords(job.trigger, wantsCodes(job))}`);
  else if (isOpen(job) && job.state === "running") parts.push(`then ${nextPanel(job)}`.replace(/\.$/, ""));
  return parts.join("; ");
}

function held(job: Job): string {
  const why = job.reason ? ` (${job.reason})` : "";
  return `${jobName(job)} is held${why}: scan RESUME when it may go on.`;
}

function over(job: Job, passed: number, boards: readonly Failed[]): Situation {
  const key = `over ${round.value} ${job.state} ${boards.length} ${jobs.value.length}`;
  const all = passed + boards.length;
  if (boards.length > 0) {
    const head = `${all === 1 ? "Failed" : `${boards.length} of ${all} failed`}: ${remedies(job, boards)}.`;
    return { key, tone: "bad", text: job.state === "held" ? `${head} The order is held.` : head };
  }
  const inserted = job.trigger === "on_insert";
  const head = all === 1 ? "Passed." : `${inserted ? "" : "All "}${all} passed.`;
  if (job.state === "held") return { key, tone: "warn", text: `${head} ${held(job)}` };
  const what = all === 1 ? "it" : inserted ? "them" : "the panel";
  return { key, tone: "good", text: `${head} Take ${what} out, ${nextPanel(job)}` };
}

function working(job: Job): Situation {
  const waits = positions.value.some(({ live }) => live.value.state === "waiting" && !inWork(live.value));
  const more = waits && job.trigger === "on_start" && wantsCodes(job) && job.state === "running";
  const text = more ? "Scan the next board, or wait." : "Wait until all boards are done.";
  return { key: `busy ${round.value}`, tone: "busy", text };
}

function ready(job: Job): Situation {
  const key = `ready ${job.id} ${job.trigger}`;
  const states = positions.value.map((model) => model.live.value);
  if (states.length === 0 || states.every(({ state }) => ["port-lost", "disabled", "stopped"].includes(state)))
    return { key: `${key} dead`, tone: "bad", text: "No position of this order can work: call an engineer." };
  return { key, tone: "plain", text: howToBegin(job) };
}

function withoutOrder(): Situation {
  if (jobs.value.length === 0)
    return { key: "none", tone: "plain", text: "No order is open: ask for one to be submitted." };
  const text = "Choose the order: type its number and Enter, or scan its work order.";
  return { key: "choose", tone: "plain", text };
}

function ofOrder(job: Job): Situation {
  if (anyInWork.value) return working(job);
  if (passedCount.value + failed.value.length > 0) return over(job, passedCount.value, failed.value);
  if (job.state === "held") return { key: `held ${job.id}`, tone: "warn", text: held(job) };
  if (isOpen(job)) return ready(job);
  return { key: `ended ${job.id}`, tone: "plain", text: `${jobName(job)} is ${ended(job)}` };
}

export const situation = computed<Situation>(() => {
  if (link.value === "connecting") return { key: "link", tone: "plain", text: "Connecting to the daemon." };
  if (link.value === "broken" || stale.value)
    return { key: "link", tone: "bad", text: "No connection to the daemon: do not scan; boards in work go on." };
  if (!may("startStation"))
    return { key: "role", tone: "warn", text: "You may watch, but not start boards: log in as an operator." };
  return shown.value ? ofOrder(shown.value) : withoutOrder();
});

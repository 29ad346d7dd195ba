// SPDX-License-Identifier: Apache-2.0
/* What the page knows of one station, and how it takes in what it is told. The daemon tells the live state of stations
 * that rest and the progress of those that work; a run's own facts say where the one ends and the other begins. What is
 * told late (of a run that has ended) must not undo what is known. */
import { type Signal, signal } from "@preact/signals";
import type { Progress, RunBrief, Station } from "./api";
import { hereTime } from "./clock";
import type { RunEnded, RunStarted } from "./facts";

export const RECENT = 20;

export interface Mark {
  run: number;
  outcome: string;
  class: string;
  serial: string;
}

/** What a run took, and what wire and chip needed at least. */
export interface Timed {
  us: number;
  floorUs: number;
}

export interface StationModel {
  name: string;
  live: Signal<Station>;
  /** of the run under way; null while none is */
  progress: Signal<Progress | null>;
  /** its last runs that ended, the oldest first, at most 20 */
  strip: Signal<Mark[]>;
  /** when the run under way began, by this machine's clock; null when that is not known, or none is */
  begun: Signal<number | null>;
  /** the last run that passed and was seen to end here */
  timed: Signal<Timed | null>;
}

export function newStation(live: Station): StationModel {
  return {
    name: live.name,
    live: signal(live),
    progress: signal<Progress | null>(null),
    strip: signal<Mark[]>([]),
    begun: signal<number | null>(null),
    timed: signal<Timed | null>(null),
  };
}

/** The newest run that is known to have ended here. */
export function lastRun(model: StationModel): number {
  return Math.max(model.live.value.last?.run ?? 0, model.strip.value.at(-1)?.run ?? 0);
}

/** Runs of one station follow each other, so that their numbers tell their order. */
export function addMarks(model: StationModel, marks: Mark[]): void {
  const known = new Map(model.strip.value.map((mark) => [mark.run, mark]));
  if (marks.every((mark) => known.has(mark.run))) return;
  for (const mark of marks) known.set(mark.run, mark);
  model.strip.value = [...known.values()].sort((a, b) => a.run - b.run).slice(-RECENT);
}

export function takeLive(model: StationModel, live: Station): void {
  if (live.run !== null && live.run <= lastRun(model)) return;
  if (live.run === null || live.run !== model.live.value.run) {
    model.progress.value = null;
    model.begun.value = null;
  }
  model.live.value = live;
}

/** The run is under way, whether or not its own fact has been heard. */
function work(model: StationModel, run: number, more: Partial<Station>): void {
  model.progress.value = null;
  model.live.value = { ...model.live.value, state: "running", message: "", run, phase: null, percent: 0, ...more };
}

/** `started` is the fact of that run, where it has been heard: a live state from before it may have come behind it. */
export function takeProgress(model: StationModel, progress: Progress, started: RunStarted | undefined): void {
  if (progress.run <= lastRun(model)) return;
  if (model.live.value.run !== progress.run) {
    const { serial = null, uid = null } = started ?? {};
    work(model, progress.run, { job: progress.job, serial, uid });
    model.begun.value = started ? hereTime(started.started) : Date.now();
  }
  model.progress.value = progress;
}

export function beginRun(model: StationModel, started: RunStarted): void {
  if (started.id <= lastRun(model)) return;
  const { job, chip, serial = null, uid = null } = started;
  if (model.live.value.run === started.id) model.live.value = { ...model.live.value, job, chip, serial, uid };
  else work(model, started.id, { job, chip, serial, uid });
  model.begun.value = hereTime(started.started);
}

export function briefOf(started: RunStarted, ended: RunEnded): RunBrief {
  return {
    id: started.id,
    job: started.job,
    station: started.station,
    outcome: ended.outcome,
    class: (ended.class || null) as RunBrief["class"],
    message: ended.message || null,
    serial: started.serial ?? null,
    uid: ended.uid ?? started.uid ?? null,
    chip: started.chip,
    image: started.images?.[0] ?? null,
    work_order: started.work_order ?? null,
    started: started.started,
    ended: ended.ended,
    by: started.by ?? null,
  };
}

/** What it took, of a run that passed: others say nothing about how fast the station is. */
export function timedOf(ended: RunEnded): Timed | null {
  const us = (ended.phases ?? []).reduce((sum, phase) => sum + phase.us, 0);
  return ended.outcome === "pass" && us > 0 && ended.floor_us ? { us, floorUs: ended.floor_us } : null;
}

export function endRun(model: StationModel, run: RunBrief, timed: Timed | null): void {
  const { id, outcome, class: failure, message, ended } = run;
  if (outcome && ended && id > lastRun(model)) {
    const last = { run: id, outcome, class: failure, message, ended, gone: false };
    const live = model.live.value;
    const over = live.run === null || live.run <= id;
    model.live.value = over ? { ...live, run: null, job: null, phase: null, percent: 0, last } : { ...live, last };
    if (over) model.progress.value = null;
    if (over) model.begun.value = null;
  }
  if (timed) model.timed.value = timed;
  addMarks(model, [{ run: id, outcome: outcome ?? "", class: failure ?? "", serial: run.serial ?? "" }]);
}

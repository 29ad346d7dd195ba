// SPDX-License-Identifier: Apache-2.0
/* What the page knows of the farm: read once, then kept up by the event stream.
 *
 * Facts change it at once. Progress and live state of stations are collected and shown FLUSH_MS later, the newest of
 * each station only. Counts are the daemon's own: a fact of a run or job makes them be asked for again, at most once a
 * second, so that nothing is counted here that might be counted twice. */
import { batch, signal } from "@preact/signals";
import { beginAlarms, lookAtStation } from "./alarms";
import { type Progress, type Station, answer, client, onUnauthorized } from "./api";
import { EventStream, STALE_MS } from "./events";
import type { Fact, RunEnded, RunStarted, StationState } from "./facts";
import { boundGap, forgetGap, noteFact, openGap, tellGap } from "./gap";
import { caller } from "./session";
import {
  addRecent,
  byName,
  inFlight,
  load,
  recent,
  refreshCounts,
  refreshPools,
  refreshRuns,
  refreshStations,
  reload,
  stopReading,
} from "./state";
import { type StationModel, beginRun, briefOf, endRun, takeLive, takeProgress, timedOf } from "./station";

export { type Alarm, acknowledge, alarms } from "./alarms";
export { missed } from "./gap";
export { jobs, lastJob, recent, revision, stations } from "./state";
export type { Mark, StationModel, Timed } from "./station";

const FLUSH_MS = 250;
/** of tiles so many that nobody reads them one by one; drawing them is most of what the page costs */
const FLUSH_MANY_MS = 750;
const MANY = 100;

export const link = signal<"connecting" | "live" | "broken">("connecting");
export const linkMessage = signal("");
/** when the daemon was last heard, Date.now() */
export const heardAt = signal(Date.now());
/** the daemon has not been heard for so long that nothing here may be believed */
export const stale = signal(false);
/** goes up by one with each fact; the last one */
export const lastFact = signal<Fact | null>(null);

const pendingProgress = new Map<string, Progress>();
const pendingLive = new Map<string, Station>();
let stream: EventStream | null = null;
let flushTimer: ReturnType<typeof setTimeout> | null = null;
let staleTimer: ReturnType<typeof setInterval> | null = null;
let brokenAt = 0;
let lastSequence = 0;
/** where who looked here was when the daemon no longer knew him: a restart ends all sessions */
let interrupted: { name: string; last: number; since: number } | null = null;
/** goes up whenever the farm is followed anew or left: what was asked for before is of no use any more */
let round = 0;

export function station(name: string): StationModel | undefined {
  return byName.get(name);
}

// --- facts -------------------------------------------------------------------------------------------------------

function runStarted(body: RunStarted): void {
  inFlight.set(body.id, body);
  const model = byName.get(body.station);
  if (model) beginRun(model, body);
  else refreshStations.soon();
}

function runEnded(body: RunEnded): void {
  const started = inFlight.get(body.id);
  inFlight.delete(body.id);
  if (!started) {
    refreshRuns.soon();
    return;
  }
  const run = briefOf(started, body);
  const model = byName.get(run.station);
  addRecent([run]);
  if (model) endRun(model, run, timedOf(body));
}

/** Whether stations may have come or gone. Their other states are told live. */
function changesStations(fact: Fact): boolean {
  if (fact.kind !== "station.state") return fact.kind === "daemon.started";
  return (fact.body as StationState).state === "stopped";
}

/** Where the run of a run.ended was, which that does not say. */
function startOf(fact: Fact): { station: string; serial?: string | null } | undefined {
  const started = fact.kind === "run.ended" ? inFlight.get((fact.body as RunEnded).id) : undefined;
  return started && { station: started.station, serial: started.serial ?? null };
}

function takeFact(fact: Fact): void {
  lastSequence = fact.sequence ?? lastSequence;
  noteFact(fact, startOf(fact));
  if (fact.kind === "run.started") runStarted(fact.body as RunStarted);
  else if (fact.kind === "run.ended") runEnded(fact.body as RunEnded);
  else if (changesStations(fact)) refreshStations.soon();
  if (/^(run|job|pool|serial)\./.test(fact.kind)) refreshCounts.soon();
  if (/^(run\.started|pool\.|record\.)/.test(fact.kind)) refreshPools.soon();
  lastFact.value = fact;
}

// --- the stream --------------------------------------------------------------------------------------------------

function flush(): void {
  flushTimer = null;
  batch(() => {
    for (const [name, live] of pendingLive) {
      const model = byName.get(name);
      if (!model) continue;
      takeLive(model, live);
      lookAtStation(live);
    }
    for (const [name, progress] of pendingProgress) {
      const model = byName.get(name);
      if (model) takeProgress(model, progress, inFlight.get(progress.run));
    }
    tellGap();
  });
  pendingLive.clear();
  pendingProgress.clear();
}

function queueLive(live: Station): void {
  if (!byName.has(live.name)) refreshStations.soon();
  pendingLive.set(live.name, live);
  if (live.run === null) pendingProgress.delete(live.name);
}

function take(event: Fact): void {
  if (event.kind === "progress") pendingProgress.set((event.body as Progress).station, event.body as Progress);
  else if (event.kind === "station") queueLive(event.body as Station);
  else if (event.kind === "resync") resync();
  else takeFact(event);
  flushTimer ??= setTimeout(flush, byName.size > MANY ? FLUSH_MANY_MS : FLUSH_MS);
}

/** The daemon has another record than the one that was followed: all is read anew. */
function resync(): void {
  forget();
  reload.soon();
}

function heard(): void {
  heardAt.value = Date.now();
  stale.value = false;
}

async function opened(resumed: boolean, last: number): Promise<void> {
  link.value = "live";
  linkMessage.value = "";
  if (!resumed) return;
  openGap(last, brokenAt);
  refreshRuns.soon();
  refreshCounts.soon();
  refreshPools.soon();
  try {
    boundGap((await answer(client.GET("/v1/ledger/head"))).sequence);
  } catch {
    boundGap(lastSequence); // it broke again: what follows is told then
  }
}

function broke(why: string): void {
  if (link.value === "live") brokenAt = Date.now();
  stopReading(); // all is asked for again when it is back
  link.value = "broken";
  linkMessage.value = why;
}

function forget(): void {
  inFlight.clear();
  pendingProgress.clear();
  pendingLive.clear();
  forgetGap();
  beginAlarms();
  byName.clear();
  recent.value = [];
}

let follower = "";

onUnauthorized(() => {
  if (!stream) return;
  interrupted = { name: follower, last: lastSequence, since: link.value === "broken" ? brokenAt : Date.now() };
});

/** From where the stream is to be read: of somebody who comes back, from where he was. */
function beginning(head: number): number {
  const back = interrupted?.name === follower && interrupted.last <= head ? interrupted : null;
  interrupted = null;
  if (!back || back.last === head) return head;
  openGap(back.last, back.since);
  boundGap(head);
  return back.last;
}

/** Reads the state and follows it until leave(). Throws a Problem when the state cannot be read. */
export async function follow(): Promise<void> {
  leave();
  const mine = round;
  follower = caller.peek()?.name ?? "";
  forget();
  link.value = "connecting";
  const head = await load();
  if (mine !== round) return;
  heard();
  lastSequence = beginning(head);
  stream = new EventStream(lastSequence, {
    onEvent: take,
    onHeard: heard,
    onOpen: (resumed, last) => void opened(resumed, last),
    onBreak: broke,
  });
  staleTimer = setInterval(() => {
    stale.value = Date.now() - heardAt.value > STALE_MS;
  }, 1000);
}

export function leave(): void {
  round++;
  stream?.stop();
  stream = null;
  stopReading();
  if (flushTimer !== null) clearTimeout(flushTimer);
  if (staleTimer !== null) clearInterval(staleTimer);
  flushTimer = staleTimer = null;
}

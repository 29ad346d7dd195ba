// SPDX-License-Identifier: Apache-2.0
/* What the page knows of the farm: read once, then kept up by the event stream.
 *
 * Facts change it at once. Progress and live state of stations are collected and shown FLUSH_MS later, the newest of
 * each station only. Counts are the daemon's own: a fact of a run or job makes them be asked for again, at most once a
 * second, so that nothing is counted here that might be counted twice. */
import { type Signal, batch, signal } from "@preact/signals";
import { type Job, type Progress, type RunBrief, type Station, answer, client } from "./api";
import { EventStream, STALE_MS } from "./events";
import type { Fact, JobState, RunEnded, RunStarted, StationState } from "./facts";

const FLUSH_MS = 250;
const REFRESH_MS = 1000;
const RECENT = 20;

export interface Mark {
  run: number;
  outcome: string;
  class: string;
  serial: string;
}

export interface StationModel {
  name: string;
  live: Signal<Station>;
  /** of the run under way; null while none is */
  progress: Signal<Progress | null>;
  /** its last runs, the oldest first, at most 20 */
  strip: Signal<Mark[]>;
}

export interface Alarm {
  /** the same thing has the same key, so that it is listed once */
  key: string;
  sequence: number;
  text: string;
  since: string;
  acknowledged: boolean;
}

/** in the order of the configuration */
export const stations = signal<StationModel[]>([]);
/** jobs that have not ended, the newest first */
export const jobs = signal<Job[]>([]);
/** the last runs that ended, the newest first */
export const recent = signal<RunBrief[]>([]);
export const alarms = signal<Alarm[]>([]);
export const link = signal<"connecting" | "live" | "broken">("connecting");
export const linkMessage = signal("");
/** when the daemon was last heard, Date.now() */
export const heardAt = signal(Date.now());
/** the daemon has not been heard for so long that nothing here may be believed */
export const stale = signal(false);
/** facts that happened while the connection was broken; null when that has been looked at */
export const missed = signal<{ from: number; facts: Fact[]; since: number } | null>(null);
/** goes up by one whenever counts have changed and derived figures should be asked for again */
export const revision = signal(0);
/** goes up by one with each fact; the last one */
export const lastFact = signal<Fact | null>(null);

const byName = new Map<string, StationModel>();
const inFlight = new Map<number, RunStarted>();
const pendingProgress = new Map<string, Progress>();
const pendingLive = new Map<string, Station>();
let stream: EventStream | null = null;
let flushTimer: ReturnType<typeof setTimeout> | null = null;
let refreshTimer: ReturnType<typeof setTimeout> | null = null;
let staleTimer: ReturnType<typeof setInterval> | null = null;
let brokenAt = 0;
let catchUpTo = 0;

export function station(name: string): StationModel | undefined {
  return byName.get(name);
}

// --- reading the state -------------------------------------------------------------------------------------------

async function loadStations(): Promise<void> {
  const list = await answer(client.GET("/v1/stations"));
  const models = list.items.map((live) => {
    const known = byName.get(live.name);
    if (known) {
      known.live.value = live;
      return known;
    }
    return { name: live.name, live: signal(live), progress: signal<Progress | null>(null), strip: signal<Mark[]>([]) };
  });
  batch(() => {
    byName.clear();
    for (const model of models) byName.set(model.name, model);
    stations.value = models;
  });
}

async function loadJobs(): Promise<void> {
  const [running, held] = await Promise.all([
    answer(client.GET("/v1/jobs", { params: { query: { state: "running" } } })),
    answer(client.GET("/v1/jobs", { params: { query: { state: "held" } } })),
  ]);
  jobs.value = [...running.items, ...held.items].sort((a, b) => b.id - a.id);
}

async function loadRuns(): Promise<void> {
  const asked = client.GET("/v1/runs", { params: { query: { brief: "true", limit: 1000 } } });
  const list = (await answer(asked)) as { items: RunBrief[] };
  const ended = list.items.filter((run) => run.outcome !== null);
  batch(() => {
    recent.value = ended.slice(0, RECENT);
    for (const model of byName.values())
      model.strip.value = ended
        .filter((run) => run.station === model.name)
        .slice(0, RECENT)
        .reverse()
        .map(markOf);
  });
}

function markOf(run: RunBrief): Mark {
  return { run: run.id, outcome: run.outcome ?? "", class: run.class ?? "", serial: run.serial ?? "" };
}

async function load(): Promise<number> {
  const head = await answer(client.GET("/v1/ledger/head"));
  await loadStations();
  await Promise.all([loadJobs(), loadRuns()]);
  return head.sequence;
}

function refreshSoon(): void {
  refreshTimer ??= setTimeout(() => {
    refreshTimer = null;
    void loadJobs().then(
      () => revision.value++,
      () => undefined, // the stream says when the daemon is away
    );
  }, REFRESH_MS);
}

// --- facts -------------------------------------------------------------------------------------------------------

function runStarted(body: RunStarted): void {
  inFlight.set(body.id, body);
}

function runEnded(body: RunEnded): void {
  const started = inFlight.get(body.id);
  inFlight.delete(body.id);
  if (recent.value.some((run) => run.id === body.id)) return;
  if (started) addRun(started, body);
  else void loadRuns();
}

function addRun(started: RunStarted, ended: RunEnded): void {
  const run: RunBrief = {
    id: started.id,
    job: started.job,
    station: started.station,
    outcome: ended.outcome,
    class: (ended.class || null) as RunBrief["class"],
    message: ended.message ?? null,
    serial: started.serial ?? null,
    uid: ended.uid ?? started.uid ?? null,
    chip: started.chip,
    image: started.images?.[0] ?? null,
    work_order: started.work_order ?? null,
    started: started.started,
    ended: ended.ended,
    by: started.by ?? null,
  };
  const model = byName.get(run.station);
  recent.value = [run, ...recent.value].slice(0, RECENT);
  if (!model) return;
  model.strip.value = [...model.strip.value, markOf(run)].slice(-RECENT);
  model.progress.value = null;
}

function setAlarm(key: string, sequence: number, text: string | null): void {
  const others = alarms.value.filter((alarm) => alarm.key !== key);
  alarms.value =
    text === null
      ? others
      : [{ key, sequence, text, since: new Date().toISOString(), acknowledged: false }, ...others];
}

export function acknowledge(key: string): void {
  alarms.value = alarms.value.map((alarm) => (alarm.key === key ? { ...alarm, acknowledged: true } : alarm));
}

function stationState(sequence: number, body: StationState): void {
  const bad = body.state === "port-lost" || body.state === "stopped";
  setAlarm(`station ${body.name}`, sequence, bad ? `${body.name}: ${body.state}. ${body.reason ?? ""}` : null);
}

function jobState(sequence: number, body: JobState): void {
  setAlarm(`job ${body.id}`, sequence, body.state === "held" ? `Job ${body.id} is held. ${body.reason ?? ""}` : null);
}

function takeFact(fact: Fact): void {
  const sequence = fact.sequence ?? 0;
  if (missed.value && sequence <= catchUpTo) missed.value = { ...missed.value, facts: [...missed.value.facts, fact] };
  if (fact.kind === "run.started") runStarted(fact.body as RunStarted);
  else if (fact.kind === "run.ended") runEnded(fact.body as RunEnded);
  else if (fact.kind === "job.state") jobState(sequence, fact.body as JobState);
  else if (fact.kind === "station.state") stationState(sequence, fact.body as StationState);
  else if (fact.kind === "daemon.started") void loadStations();
  if (/^(run|job|pool|serial)\./.test(fact.kind)) refreshSoon();
  lastFact.value = fact;
}

// --- the stream --------------------------------------------------------------------------------------------------

function flush(): void {
  flushTimer = null;
  batch(() => {
    for (const [name, live] of pendingLive) {
      const model = byName.get(name);
      if (!model) continue;
      model.live.value = live;
      if (live.run === null) model.progress.value = null;
    }
    for (const [name, progress] of pendingProgress) {
      const model = byName.get(name);
      if (model) model.progress.value = progress;
    }
  });
  pendingLive.clear();
  pendingProgress.clear();
}

function takeLive(live: Station): void {
  if (!byName.has(live.name)) void loadStations();
  pendingLive.set(live.name, live);
  if (live.run === null) pendingProgress.delete(live.name);
}

function take(event: Fact): void {
  if (event.kind === "progress") pendingProgress.set((event.body as Progress).station, event.body as Progress);
  else if (event.kind === "station") takeLive(event.body as Station);
  else if (event.kind === "resync") void load();
  else takeFact(event);
  flushTimer ??= setTimeout(flush, FLUSH_MS);
}

function heard(): void {
  heardAt.value = Date.now();
  stale.value = false;
}

async function opened(resumed: boolean, last: number): Promise<void> {
  link.value = "live";
  linkMessage.value = "";
  if (!resumed) return;
  const head = await answer(client.GET("/v1/ledger/head"));
  catchUpTo = head.sequence;
  if (head.sequence > last) missed.value = { from: last, facts: [], since: brokenAt };
  await loadStations();
  refreshSoon();
}

function broke(why: string): void {
  if (link.value === "live") brokenAt = Date.now();
  link.value = "broken";
  linkMessage.value = why;
}

/** Reads the state and follows it until leave(). Throws a Problem when the state cannot be read. */
export async function follow(): Promise<void> {
  leave();
  link.value = "connecting";
  const head = await load();
  heard();
  stream = new EventStream(head, {
    onEvent: take,
    onHeard: heard,
    onOpen: (resumed, last) => void opened(resumed, last).catch(() => undefined),
    onBreak: broke,
  });
  staleTimer = setInterval(() => {
    stale.value = Date.now() - heardAt.value > STALE_MS;
  }, 1000);
}

export function leave(): void {
  stream?.stop();
  stream = null;
  if (staleTimer !== null) clearInterval(staleTimer);
  staleTimer = null;
}

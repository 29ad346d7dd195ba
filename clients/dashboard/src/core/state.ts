// SPDX-License-Identifier: Apache-2.0
/* What is known of the farm, and how it is read. farm.ts keeps it up. */
import { batch, signal } from "@preact/signals";
import { endBeginning, lookAtJobs, lookAtPools, lookAtStations } from "./alarms";
import { type Job, type RunBrief, type Station, answer, client } from "./api";
import { hereTime } from "./clock";
import type { RunStarted } from "./facts";
import { atMostEvery } from "./pace";
import { RECENT, type StationModel, addMarks, lastRun, newStation, takeLive } from "./station";

const REFRESH_MS = 1000;
const POOLS_MS = 10_000;
const RUNS_ASKED = 1000; // the most that one page of runs has

/** in the order of the configuration */
export const stations = signal<StationModel[]>([]);
/** jobs that have not ended, the newest first */
export const jobs = signal<Job[]>([]);
/** the newest job of all, looked for while none is open */
export const lastJob = signal<Job | null>(null);
/** the last runs that ended, the newest first */
export const recent = signal<RunBrief[]>([]);
/** goes up by one whenever counts have changed and derived figures should be asked for again */
export const revision = signal(0);

export const byName = new Map<string, StationModel>();
/** runs whose beginning is known, and whose end is not */
export const inFlight = new Map<number, RunStarted>();

function takeStation(live: Station): StationModel {
  const model = byName.get(live.name) ?? newStation(live);
  addMarks(
    model,
    (live.recent ?? []).map(({ run, outcome, class: failure, serial }) => {
      return { run, outcome, class: failure ?? "", serial: serial ?? "" };
    }),
  );
  takeLive(model, live);
  return model;
}

async function loadStations(): Promise<void> {
  const list = await answer(client.GET("/v1/stations", { params: { query: { recent: RECENT } } }));
  batch(() => {
    const models = list.items.map(takeStation);
    byName.clear();
    for (const model of models) byName.set(model.name, model);
    stations.value = models;
    lookAtStations(models.map((model) => model.live.value));
  });
}

async function loadJobs(): Promise<void> {
  const [running, held] = await Promise.all([
    answer(client.GET("/v1/jobs", { params: { query: { state: "running" } } })),
    answer(client.GET("/v1/jobs", { params: { query: { state: "held" } } })),
  ]);
  const open = [...running.items, ...held.items].sort((a, b) => b.id - a.id);
  const newest = open[0] ?? (await answer(client.GET("/v1/jobs", { params: { query: { limit: 1 } } }))).items[0];
  batch(() => {
    jobs.value = open;
    lastJob.value = newest ?? null;
    lookAtJobs(open);
  });
}

async function loadPools(): Promise<void> {
  lookAtPools((await answer(client.GET("/v1/serial-pools"))).items);
}

/** A run that was under way when the page came: its beginning was not heard. */
function takeUnderWay(run: RunBrief): void {
  const images = run.image === null ? [] : [run.image];
  const model = byName.get(run.station);
  if (model && run.id <= lastRun(model)) return; // its end came while the list was on its way
  inFlight.set(run.id, { ...run, images });
  if (model?.live.value.run === run.id) model.begun.value = hereTime(run.started);
}

export function addRecent(runs: RunBrief[]): void {
  const known = new Map([...runs, ...recent.value].map((run) => [run.id, run]));
  recent.value = [...known.values()].sort((a, b) => ((a.ended ?? "") < (b.ended ?? "") ? 1 : -1)).slice(0, RECENT);
}

async function loadRuns(): Promise<void> {
  const limit = Math.min(RUNS_ASKED, 2 * RECENT + 2 * byName.size);
  const asked = client.GET("/v1/runs", { params: { query: { brief: "true", limit } } });
  const list = (await answer(asked)) as { items: RunBrief[] };
  batch(() => {
    addRecent(list.items.filter((run) => run.outcome !== null));
    for (const run of list.items) if (run.outcome === null) takeUnderWay(run);
  });
}

export async function load(): Promise<number> {
  const head = await answer(client.GET("/v1/ledger/head"));
  await loadStations();
  await Promise.all([loadJobs(), loadRuns(), loadPools()]);
  endBeginning();
  return head.sequence;
}

export const refreshCounts = atMostEvery(REFRESH_MS, async () => {
  await loadJobs();
  revision.value++;
});
export const refreshStations = atMostEvery(REFRESH_MS, loadStations);
export const refreshRuns = atMostEvery(REFRESH_MS, async () => {
  await loadRuns();
  await loadStations();
});
export const refreshPools = atMostEvery(POOLS_MS, loadPools);
export const reload = atMostEvery(REFRESH_MS, async () => {
  await load();
  revision.value++;
});

export function stopReading(): void {
  for (const refresh of [refreshCounts, refreshStations, refreshRuns, refreshPools, reload]) refresh.stop();
}

// SPDX-License-Identifier: Apache-2.0
/* Yields, pace and Pareto of what is looked at, as the daemon reckons them: asked for when counts have changed, at most
 * once a second, and every ten seconds besides, since the pace falls also when nothing happens. */
import { effect, signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { type Job, answer, client } from "../core/api";
import { link, revision } from "../core/farm";
import { atMostEvery } from "../core/pace";
import type { components } from "../generated/contract";

export type Statistics = components["schemas"]["Statistics"];
export type StationTally = components["schemas"]["StationTally"];

const CHANGED_MS = 1000;
const QUIET_MS = 10_000;

export const statistics = signal<Statistics | null>(null);
/** those of the same answer, by station */
export const tallies = signal<ReadonlyMap<string, StationTally>>(new Map());

interface Scope {
  job?: number;
  from: string;
}

/** One job, or all that ended since the oldest of several began. */
function scopeOf(all: Job[]): Scope | null {
  const [first] = all;
  if (!first) return null;
  const from = all.reduce((oldest, job) => (job.submitted < oldest ? job.submitted : oldest), first.submitted);
  return all.length === 1 ? { job: first.id, from } : { from };
}

/** Not yet seen in the job, or longer ago than it: nothing is shown rather than somebody else's figures. */
function follow(scope: Scope | null): () => void {
  statistics.value = null;
  tallies.value = new Map();
  if (!scope) return () => undefined;
  let current = true;
  const asks = atMostEvery(CHANGED_MS, async () => {
    const got = await answer(client.GET("/v1/statistics", { params: { query: scope } }));
    if (!current) return;
    statistics.value = got;
    tallies.value = new Map(got.by_station.map((tally) => [tally.station, tally]));
  });
  const timer = setInterval(() => link.value === "live" && asks.soon(), QUIET_MS);
  const leave = effect(() => {
    void revision.value;
    if (link.value === "live") asks.soon();
  });
  return () => {
    current = false;
    leave();
    clearInterval(timer);
    asks.stop();
  };
}

export function useStatistics(all: Job[]): void {
  const scope = scopeOf(all);
  const key = JSON.stringify(scope);
  useEffect(() => follow(scope), [key]);
}

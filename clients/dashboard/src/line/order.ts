// SPDX-License-Identifier: Apache-2.0
/* Which of the open jobs is looked at, and what its figures are. */
import { computed, signal } from "@preact/signals";
import type { Job } from "../core/api";
import { jobs, lastJob } from "../core/farm";

/** a job's number, "all", or null: the newest */
export const choice = signal<number | "all" | null>(null);

/** the jobs whose figures are shown: one, or all that are open */
export const shown = computed<Job[]>(() => {
  const open = jobs.value;
  if (choice.value === "all" && open.length > 1) return open;
  const job = open.find((each) => each.id === choice.value) ?? open[0] ?? lastJob.value;
  return job ? [job] : [];
});

export interface OrderFigures {
  promised: number;
  inFlight: number;
  passed: number;
  failed: number;
  aborted: number;
  unknown: number;
  remaining: number;
}

function sum(all: Job[], of: (job: Job) => number | null | undefined): number {
  return all.reduce((total, job) => total + (of(job) ?? 0), 0);
}

export function figuresOf(all: Job[]): OrderFigures {
  return {
    promised: sum(all, (job) => job.quantity),
    inFlight: sum(all, (job) => job.in_flight),
    passed: sum(all, (job) => job.counts.passed),
    failed: sum(all, (job) => job.counts.failed),
    aborted: sum(all, (job) => job.counts.aborted),
    unknown: sum(all, (job) => job.counts.unknown),
    remaining: sum(all, (job) => job.remaining),
  };
}

/** Of several jobs of a station the daemon works on the oldest that is not held. */
const jobOf = computed<ReadonlyMap<string, Job>>(() => {
  const found = new Map<string, Job>();
  const held = jobs.value.filter((job) => job.state === "held");
  const running = jobs.value.filter((job) => job.state !== "held");
  for (const job of [...held, ...running]) for (const name of job.stations) found.set(name, job); // the last one stays
  return found;
});

export type Order = "none" | "held" | "on_insert" | "told";

/** What a station's open job means for its units: `told` ones begin by START, code, at once. */
export function orderOf(station: string): Order {
  const job = jobOf.value.get(station);
  if (!job) return "none";
  if (job.state === "held") return "held";
  return job.trigger === "on_insert" ? "on_insert" : "told";
}

// SPDX-License-Identifier: Apache-2.0
/* The order that is shown to the operator, and its positions. */
import { computed, signal } from "@preact/signals";
import type { Job, Station } from "../core/api";
import { type StationModel, stations } from "../core/farm";
import { route } from "../core/router";

/** the order that is shown; it stays when it has ended, until something else begins */
export const shown = signal<Job | null>(null);

/** `#/operate?fixture=F-7` is the page of one fixture. */
const fixture = computed(() => route.value.query.get("fixture"));

/** The positions that are shown: those of the order, in this fixture. */
export const positions = computed<StationModel[]>(() => {
  const wanted = shown.value;
  if (!wanted) return [];
  const names = new Set(wanted.stations);
  return stations.value.filter(
    (model) => names.has(model.name) && (!fixture.value || model.live.value.fixture === fixture.value),
  );
});

export function isOpen(job: Job | null): boolean {
  return job !== null && (job.state === "running" || job.state === "held");
}

export function jobName(job: Job): string {
  return job.work_order || `Job ${job.id}`;
}

export function asksForCode(live: Station): boolean {
  return live.state === "waiting" && live.message.startsWith("read the board");
}

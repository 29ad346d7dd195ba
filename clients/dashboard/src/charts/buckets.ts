// SPDX-License-Identifier: Apache-2.0
/* The daemon tells only of buckets in which a run ended; here they are laid over the whole span. */
import type { BucketTally, Statistics, Tally } from "./statistics";

export type Values = readonly (number | null)[];
export type Pick = (tally: Tally) => number | null;

export interface Grid {
  from: number;
  to: number;
  bucketS: number;
  first: number;
  count: number;
}

const seconds = (utc: string) => Date.parse(utc) / 1000;

/** Every bucket of the span, also those in which nothing ended: there the lines have gaps. */
export function gridOf(answer: Statistics): Grid {
  const { bucket_s: bucketS } = answer;
  const from = seconds(answer.from);
  const to = seconds(answer.to);
  const anchor = answer.series[0] ? seconds(answer.series[0].start) : from;
  const first = anchor - Math.ceil(Math.max(0, anchor - from) / bucketS) * bucketS;
  return { from, to, bucketS, first, count: Math.max(1, Math.ceil((to - first) / bucketS)) };
}

export function middles(grid: Grid): number[] {
  return Array.from({ length: grid.count }, (_, index) => grid.first + (index + 0.5) * grid.bucketS);
}

/** Of each bucket of the grid; null where no run ended. */
export function valuesOf(grid: Grid, buckets: readonly BucketTally[], pick: Pick): Values {
  const values = new Array<number | null>(grid.count).fill(null);
  for (const bucket of buckets) {
    const index = Math.round((seconds(bucket.start) - grid.first) / grid.bucketS);
    if (index >= 0 && index < grid.count) values[index] = pick(bucket);
  }
  return values;
}

// SPDX-License-Identifier: Apache-2.0
/* GET /v1/statistics: sums that the daemon keeps beside its record, and the figures that are made of them. */
import { answer, client } from "../core/api";
import type { components, operations } from "../generated/contract";

type Schemas = components["schemas"];
export type Tally = Schemas["Tally"];
export type BucketTally = Schemas["BucketTally"];
export type StationTally = Schemas["StationTally"];
export type Statistics = Schemas["Statistics"];
export type Asked = NonNullable<operations["getStatistics"]["parameters"]["query"]>;

export function statistics(query: Asked): Promise<Statistics> {
  return answer(client.GET("/v1/statistics", { params: { query } }));
}

// --- figures of a tally; null where there is nothing to divide by --------------------------------------------------

function ratio(part: number, whole: number): number | null {
  return whole > 0 ? part / whole : null;
}

export function firstPassYield(tally: Tally): number | null {
  return ratio(tally.first_pass, tally.units);
}

export function finalYield(tally: Tally): number | null {
  return ratio(tally.passed_units, tally.units);
}

/** of a run that passed, in seconds */
export function cycleSeconds(tally: Tally): number | null {
  return ratio(tally.us / 1e6, tally.timed_runs);
}

/** time as a part of the floor: 1 is as fast as wire and chip allow */
export function ofFloor(tally: Tally): number | null {
  return ratio(tally.us, tally.floor_us);
}

export const SHARES = ["wire", "target", "host", "retry"] as const;
export type Share = (typeof SHARES)[number];

export function shareUs(tally: Tally, share: Share): number {
  return tally[`${share}_us`];
}

// SPDX-License-Identifier: Apache-2.0
/* Bodies of the facts that the page looks into (schema/README.md, "Kinds of facts"); members may be absent. */
import type { Outcome } from "./api";

export interface RunStarted {
  id: number;
  job: number;
  station: string;
  chip: string;
  started: string;
  serial?: string | null;
  uid?: string | null;
  work_order?: string | null;
  images?: string[];
  /** read from the board by a scanner */
  code?: string | null;
  by?: string | null;
}

export interface RunEnded {
  id: number;
  outcome: Outcome;
  class?: string | null;
  message?: string | null;
  ended: string;
  uid?: string | null;
  floor_us?: number | null;
  phases?: { name: string; us: number; floor_us: number }[] | null;
}

export interface JobState {
  id: number;
  state: "running" | "held" | "done" | "cancelled";
  reason?: string | null;
}

export interface StationState {
  name: string;
  state: "ready" | "port-lost" | "disabled" | "stopped";
  reason?: string | null;
}

export interface Fact {
  /** its place in the ledger; null of what is no fact: progress, station, resync */
  sequence: number | null;
  kind: string;
  body: unknown;
}

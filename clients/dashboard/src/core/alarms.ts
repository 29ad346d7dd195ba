// SPDX-License-Identifier: Apache-2.0
/* What wants somebody's attention, for as long as it is so. Acknowledging is a note to oneself: it is kept by this page
 * only, and an alarm whose words change is a new one. */
import { signal } from "@preact/signals";
import type { Job, Pool, Station } from "./api";

export interface Alarm {
  /** the same thing has the same key, so that it is listed once */
  key: string;
  text: string;
  /** when this page saw it first */
  since: string;
  /** it was so already when the page began to look */
  standing: boolean;
  acknowledged: boolean;
}

/** the newest first */
export const alarms = signal<Alarm[]>([]);

/** Whether the page has just begun to look, so that nobody knows since when things are as they are. */
let beginning = true;

export function beginAlarms(): void {
  beginning = true;
  alarms.value = [];
}

export function endBeginning(): void {
  beginning = false;
}

/** Says that something is so, or (null) no longer. */
export function setAlarm(key: string, text: string | null): void {
  const known = alarms.value.find((alarm) => alarm.key === key);
  if (known?.text === text || (!known && text === null)) return;
  const others = alarms.value.filter((alarm) => alarm.key !== key);
  const since = new Date().toISOString();
  alarms.value =
    text === null ? others : [{ key, text, since, standing: beginning, acknowledged: false }, ...others];
}

export function acknowledge(key: string): void {
  alarms.value = alarms.value.map((alarm) => (alarm.key === key ? { ...alarm, acknowledged: true } : alarm));
}

/** Says what is so among all things of one kind; what is not named is not so any more. */
function setAlarms(kind: string, texts: Map<string, string>): void {
  for (const { key } of alarms.value) if (key.startsWith(kind) && !texts.has(key)) setAlarm(key, null);
  for (const [key, text] of texts) setAlarm(key, text);
}

function sentence(head: string, rest: string | null | undefined): string {
  return rest ? `${head}: ${rest}` : head;
}

/** A station that was stopped in good order says nothing; neither does the daemon's own end. */
function stationText(live: Station): string | null {
  if (live.state === "port-lost") return sentence(`${live.name} port-lost`, live.message);
  return null;
}

export function lookAtStation(live: Station): void {
  setAlarm(`station ${live.name}`, stationText(live));
}

export function lookAtStations(all: Station[]): void {
  const texts = all.flatMap((live): [string, string][] => {
    const text = stationText(live);
    return text === null ? [] : [[`station ${live.name}`, text]];
  });
  setAlarms("station ", new Map(texts));
}

export function lookAtJobs(open: Job[]): void {
  const held = open.filter((job) => job.state === "held");
  setAlarms("job ", new Map(held.map((job) => [`job ${job.id}`, sentence(`Job ${job.id} held`, job.reason)])));
}

function poolText(pool: Pool): string | null {
  if (pool.state === "closed") return null;
  if (pool.left === 0) return `Pool ${pool.name}: no numbers left`;
  return pool.warning === null ? null : `Pool ${pool.name}: ${pool.warning} % used, ${pool.left} left`;
}

export function lookAtPools(pools: Pool[]): void {
  const texts = pools.flatMap((pool): [string, string][] => {
    const text = poolText(pool);
    return text === null ? [] : [[`pool ${pool.name}`, text]];
  });
  setAlarms("pool ", new Map(texts));
}

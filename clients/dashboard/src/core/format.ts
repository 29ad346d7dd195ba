// SPDX-License-Identifier: Apache-2.0
/* Figures as people read them. */

/** Of a time of the record (UTC text), in the zone of who looks. */
export function clockTime(utc: string): string {
  return new Date(utc).toLocaleTimeString(undefined, { hour12: false });
}

export function dateTime(utc: string): string {
  const time = new Date(utc);
  return `${time.toLocaleDateString()} ${time.toLocaleTimeString(undefined, { hour12: false })}`;
}

/** 950 ms, 12.3 s, 4 min 05 s, 2 h 07 min */
export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const seconds = ms / 1000;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${String(Math.round(seconds % 60)).padStart(2, "0")} s`;
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`;
}

export function bytes(count: number): string {
  if (count < 1024) return `${count} B`;
  if (count < 1024 * 1024) return `${(count / 1024).toFixed(1)} KiB`;
  return `${(count / 1024 / 1024).toFixed(1)} MiB`;
}

export function hex(address: number): string {
  return `0x${address.toString(16).padStart(8, "0")}`;
}

/** The part of a hash that people compare. */
export function short(hash: string): string {
  return hash.slice(0, 8);
}

/** A share as percent; "–" when there is nothing to divide by. */
export function percent(part: number, whole: number): string {
  return whole > 0 ? `${((100 * part) / whole).toFixed(1)} %` : "–";
}

// SPDX-License-Identifier: Apache-2.0
/* The daemon's clock is not this machine's: times of the record are moved by what its answers show the difference to
 * be. An answer names the second in which it was made, so that the least difference seen is the nearest. */
import { client } from "./api";

let ahead_ms: number | null = null;

client.use({
  onResponse({ response }) {
    const said = Date.parse(response.headers.get("Date") ?? "");
    if (!Number.isNaN(said)) ahead_ms = Math.min(ahead_ms ?? Infinity, Date.now() - said);
  },
});

/** A time of the record on this machine's clock, in ms; never later than now. */
export function hereTime(utc: string): number {
  return Math.min(Date.now(), Date.parse(utc) + (ahead_ms ?? 0));
}

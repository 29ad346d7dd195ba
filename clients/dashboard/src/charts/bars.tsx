// SPDX-License-Identifier: Apache-2.0
/* A time as a bar of its four shares, beside the least that it can be. The same colours and patterns as in the
 * charts. Figures stand in the table around it, so the bar itself is silent. */
import "./bars.css";
import { SHARES, type Share } from "./statistics";

export const SHARE_MEANING: Record<Share, string> = {
  wire: "bits on the wire",
  target: "the chip erases, programs, checks",
  host: "this computer",
  retry: "attempts that failed and were made again",
};

export type Times = Record<Share, number>;

/** `whole` is the length of the longest bar beside this one, in the unit of the others. */
export function TimeBar({ times, total, floor, whole }: {
  times: Times;
  total: number;
  floor: number;
  whole: number;
}) {
  const part = (value: number) => `${whole > 0 ? (100 * value) / whole : 0}%`;
  const known = SHARES.reduce((sum, share) => sum + times[share], 0);
  return (
    <span class="time-bar" aria-hidden="true">
      <span class="time-bar-measured">
        {SHARES.map((share) => (
          <span key={share} class={`share share-${share}`} style={{ width: part(times[share]) }} />
        ))}
        {total > known && <span class="share share-rest" style={{ width: part(total - known) }} />}
      </span>
      <span class="time-bar-floor" style={{ width: part(floor) }} />
    </span>
  );
}

/** What the patterns mean. */
export function ShareKey() {
  return (
    <ul class="share-key">
      {SHARES.map((share) => (
        <li key={share} title={SHARE_MEANING[share]}>
          <span class={`swatch share-${share}`} aria-hidden="true" /> {share}
          <span class="share-key-meaning">: {SHARE_MEANING[share]}</span>
        </li>
      ))}
      <li>
        <span class="swatch swatch-floor" aria-hidden="true" /> floor
        <span class="share-key-meaning">: the least that wire and chip need</span>
      </li>
    </ul>
  );
}

// SPDX-License-Identifier: Apache-2.0
/* The time of a run, phase by phase: measured beside floor, and who it went to. */
import { SHARES } from "../charts/statistics";
import { ShareKey, TimeBar, type Times } from "../charts/bars";
import type { Run } from "../core/api";
import { bytes, duration } from "../core/format";

type Phase = NonNullable<Run["phases"]>[number];

interface Row {
  name: string;
  us: number;
  floorUs: number;
  times: Times;
  bytes: number | undefined;
}

function rowOf(phase: Phase): Row {
  const times: Times = {
    wire: phase.wire_us ?? 0,
    target: phase.target_us ?? 0,
    host: phase.host_us ?? 0,
    retry: phase.retry_us ?? 0,
  };
  return { name: phase.name, us: phase.us, floorUs: phase.floor_us, times, bytes: phase.bytes };
}

function sumOf(rows: readonly Row[]): Row {
  const add = (pick: (row: Row) => number) => rows.reduce((sum, row) => sum + pick(row), 0);
  const times = Object.fromEntries(SHARES.map((share) => [share, add((row) => row.times[share])])) as Times;
  return { name: "all", us: add((row) => row.us), floorUs: add((row) => row.floorUs), times, bytes: undefined };
}

/** Time as percent of the floor: 100 % is as fast as wire and chip allow. */
export function ofFloorText(us: number, floorUs: number): string {
  return floorUs > 0 ? `${Math.round((100 * us) / floorUs)} %` : "–";
}

function time(us: number): string {
  if (us <= 0) return "–";
  return us < 1000 ? "<1 ms" : duration(us / 1000);
}

function PhaseRow({ row, whole, last, sized }: { row: Row; whole: number; last: boolean; sized: boolean }) {
  return (
    <tr class={last ? "phase-sum" : undefined}>
      <th scope="row">{row.name}</th>
      <td class="phase-bars">
        <TimeBar times={row.times} total={row.us} floor={row.floorUs} whole={whole} />
      </td>
      <td class="figure">{time(row.us)}</td>
      <td class="figure">{time(row.floorUs)}</td>
      <td class="figure">{ofFloorText(row.us, row.floorUs)}</td>
      {SHARES.map((share) => (
        <td key={share} class="figure soft">
          {time(row.times[share])}
        </td>
      ))}
      {sized && <td class="figure soft">{row.bytes ? bytes(row.bytes) : "–"}</td>}
    </tr>
  );
}

export function PhaseTable({ run }: { run: Run }) {
  const rows = (run.phases ?? []).map(rowOf);
  if (!rows.length) return <p class="empty">No times: nothing was begun on the chip.</p>;
  const sum = sumOf(rows);
  const sized = rows.some((row) => row.bytes);
  const whole = Math.max(sum.us, sum.floorUs);
  return (
    <div class="phases">
      <table>
        <caption class="hidden">Time of run {run.id} by phase: measured, floor, and who the time went to</caption>
        <thead>
          <tr>
            <th scope="col">Phase</th>
            <th scope="col">
              <span class="hidden">Bars</span>
            </th>
            <th scope="col" class="figure">Measured</th>
            <th scope="col" class="figure">Floor</th>
            <th scope="col" class="figure">Of floor</th>
            {SHARES.map((share) => (
              <th key={share} scope="col" class="figure">
                {share}
              </th>
            ))}
            {sized && (
              <th scope="col" class="figure">
                Bytes
              </th>
            )}
          </tr>
        </thead>
        <tbody>
          {[...rows, sum].map((row) => (
            <PhaseRow key={row.name} row={row} whole={whole} last={row === sum} sized={sized} />
          ))}
        </tbody>
      </table>
      <ShareKey />
    </div>
  );
}

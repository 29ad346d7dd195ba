// SPDX-License-Identifier: Apache-2.0
/* What an order would do: the plan, the least time it takes at each station, and the lint. */
import type { DryRun } from "../core/api";
import { bytes, duration, short } from "../core/format";
import { Findings } from "./parts";

type StationPlan = DryRun["stations"][number];

interface Group {
  first: StationPlan;
  names: string[];
}

/** Stations that need the same time, together. */
function grouped(stations: StationPlan[]): Group[] {
  const groups = new Map<string, Group>();
  for (const station of stations) {
    const key = JSON.stringify([station.protocol, station.baud, station.phases]);
    const group = groups.get(key) ?? { first: station, names: [] };
    group.names.push(station.name);
    groups.set(key, group);
  }
  return [...groups.values()];
}

function namesOf(names: string[]): string {
  if (names.length <= 4) return names.join(", ");
  return `${names[0]} … ${names.at(-1)} (${names.length} stations)`;
}

function us(value: number): string {
  return duration(value / 1000);
}

function PhaseBar({ station, longest }: { station: StationPlan; longest: number }) {
  const words = station.phases.map((phase) => `${phase.name} ${us(phase.floor_us)}`).join(", ");
  return (
    <div class="phase-bar" role="img" aria-label={words} style={{ width: `${(100 * station.floor_us) / longest}%` }}>
      {station.phases.map((phase, index) => (
        <span
          key={phase.name}
          class={`phase phase-${index % 4}`}
          title={`${phase.name} ${us(phase.floor_us)}`}
          style={{ width: `${(100 * phase.floor_us) / Math.max(station.floor_us, 1)}%` }}
        >
          {phase.name}
        </span>
      ))}
    </div>
  );
}

function Floor({ stations }: { stations: StationPlan[] }) {
  const phases = [...new Set(stations.flatMap((station) => station.phases.map((phase) => phase.name)))];
  const longest = Math.max(1, ...stations.map((station) => station.floor_us));
  return (
    <table class="floor">
      <caption>The least time that wire and chip need for one board</caption>
      <thead>
        <tr>
          <th scope="col">Stations</th>
          <th scope="col">Protocol</th>
          <th scope="col" class="num">
            Baud
          </th>
          {phases.map((phase) => (
            <th key={phase} scope="col" class="num">
              {phase}
            </th>
          ))}
          <th scope="col" class="num">
            In all
          </th>
          <th scope="col" class="bar">
            Phases
          </th>
        </tr>
      </thead>
      <tbody>
        {grouped(stations).map(({ first, names }) => (
          <tr key={first.name}>
            <th scope="row" title={names.join(", ")}>
              {namesOf(names)}
            </th>
            <td>{first.protocol}</td>
            <td class="num">{first.baud ?? "–"}</td>
            {phases.map((phase) => {
              const found = first.phases.find((one) => one.name === phase);
              return (
                <td key={phase} class="num">
                  {found ? us(found.floor_us) : "–"}
                </td>
              );
            })}
            <td class="num strong">{us(first.floor_us)}</td>
            <td class="bar">
              <PhaseBar station={first} longest={longest} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Plan({ plan }: { plan: DryRun["plan"] }) {
  return (
    <table>
      <caption>What is done to each board</caption>
      <thead>
        <tr>
          <th scope="col">Protocol</th>
          <th scope="col">Erase</th>
          <th scope="col" class="num">
            Blocks
          </th>
          <th scope="col" class="num">
            Written
          </th>
          <th scope="col" class="num">
            Verified
          </th>
          <th scope="col">SHA-256 of what is verified</th>
        </tr>
      </thead>
      <tbody>
        {plan.map((one) => (
          <tr key={one.protocol}>
            <th scope="row">{one.protocol}</th>
            <td>{one.erase_all ? "the whole chip" : `${one.sectors} erase units`}</td>
            <td class="num">{one.blocks}</td>
            <td class="num">{bytes(one.write_bytes)}</td>
            <td class="num">{bytes(one.verify_bytes)}</td>
            <td class="mono" title={one.digest ?? undefined}>
              {one.digest ? short(one.digest) : "–"}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** How long the whole order takes at least, when all stations are busy all the time. */
function leastTime(said: DryRun): string {
  const perSecond = said.stations.reduce((sum, station) => sum + (station.floor_us ? 1 / station.floor_us : 0), 0);
  return perSecond > 0 ? us(said.units / perSecond) : "–";
}

export function DryRunView({ said }: { said: DryRun }) {
  return (
    <div class="dry-run">
      <p>
        <strong>{said.units}</strong> {said.units === 1 ? "board" : "boards"} at <strong>{said.stations.length}</strong>{" "}
        {said.stations.length === 1 ? "station" : "stations"}; programming alone takes{" "}
        <strong>{leastTime(said)}</strong> at least. Nothing was ordered, reserved or recorded.
      </p>
      <Findings findings={said.findings} of="this order" />
      <Plan plan={said.plan} />
      <Floor stations={said.stations} />
    </div>
  );
}

// SPDX-License-Identifier: Apache-2.0
/* How well each station works, beside its peers. The daemon judges; what it finds odd comes first. */
import { useEffect, useState } from "preact/hooks";
import { answer, client } from "../core/api";
import { duration } from "../core/format";
import type { components } from "../generated/contract";
import { Icon } from "../ui/icons";
import { Empty, Panel, ProblemNote, useAnswer } from "../ui/parts";
import { Select } from "./controls";

type Health = components["schemas"]["StationHealth"];
type Odd = Health["odd"][number];

const REFRESH_MS = 30_000;
const PAGE = 32;

const names: Record<string, string> = {
  contact_attempts: "attempts to make contact",
  naks: "NAKs",
  retries: "retries",
  excess_us: "time over the floor",
  contact_us: "time to make contact",
};

const measures = Object.keys(names) as (keyof Health["measures"])[];

/** A mean of that measure as people read it. */
function figure(measure: string, value: number | null | undefined): string {
  if (value == null) return "–";
  if (measure.endsWith("_us")) return duration(value / 1000);
  return value.toFixed(value < 10 ? 1 : 0);
}

function OddText({ odd }: { odd: Odd }) {
  return (
    <div class="odd">
      <Icon name="warning" /> odd: {names[odd.measure] ?? odd.measure} {figure(odd.measure, odd.value)}, its peers{" "}
      {figure(odd.measure, odd.peers)} <span class="faint">(score {odd.score.toFixed(1)})</span>
    </div>
  );
}

function Verdict({ health }: { health: Health }) {
  if (health.odd.length)
    return (
      <>
        {health.odd.map((odd) => (
          <OddText key={odd.measure} odd={odd} />
        ))}
      </>
    );
  return <span class="faint">{health.runs < 10 ? "too few runs to judge" : "like its peers"}</span>;
}

function HealthRow({ health }: { health: Health }) {
  const odd = new Set<string>(health.odd.map((one) => one.measure));
  return (
    <tr class={odd.size ? "is-odd" : undefined}>
      <th scope="row">{health.station}</th>
      <td>{health.chip ?? "–"}</td>
      <td class="num">{health.runs}</td>
      <td class="num">{health.passed}</td>
      {measures.map((measure) => (
        <td key={measure} class={odd.has(measure) ? "num strong bad" : "num"}>
          {odd.has(measure) ? <Icon name="warning" /> : null} {figure(measure, health.measures[measure])}
        </td>
      ))}
      <td>
        <Verdict health={health} />
      </td>
    </tr>
  );
}

function HealthTable({ items }: { items: Health[] }) {
  return (
    <table>
      <caption>Means of each station’s last runs</caption>
      <thead>
        <tr>
          <th scope="col">Station</th>
          <th scope="col">Chip</th>
          <th scope="col" class="num">
            Runs
          </th>
          <th scope="col" class="num">
            Passed
          </th>
          {measures.map((measure) => (
            <th key={measure} scope="col" class="num">
              {names[measure]}
            </th>
          ))}
          <th scope="col">Beside its peers</th>
        </tr>
      </thead>
      <tbody>
        {items.map((health) => (
          <HealthRow key={health.station} health={health} />
        ))}
      </tbody>
    </table>
  );
}

/** A number that goes up every so often, for what has no event. */
function useClock(ms: number): number {
  const [round, setRound] = useState(0);

  useEffect(() => {
    const timer = setInterval(() => setRound((count) => count + 1), ms);
    return () => clearInterval(timer);
  }, [ms]);
  return round;
}

export function HealthPanel() {
  const [runs, setRuns] = useState("50");
  const [all, setAll] = useState(false);
  const clock = useClock(REFRESH_MS);
  const asked = useAnswer(
    () => answer(client.GET("/v1/station-health", { params: { query: { runs: Number(runs) } } })),
    [runs, clock],
  );
  const items = [...(asked.value?.items ?? [])].sort((a, b) => b.odd.length - a.odd.length);
  const odd = items.filter((health) => health.odd.length > 0).length;
  const shown = all ? items : items.slice(0, Math.max(PAGE, odd));
  return (
    <Panel title="How each station works">
      <div class="filters">
        <Select label="Of each station" value={runs} onValue={setRuns}>
          {["20", "50", "200", "500"].map((count) => (
            <option key={count} value={count}>
              the last {count} runs
            </option>
          ))}
        </Select>
        <p class="judgement">
          {odd ? (
            <strong class="bad">
              <Icon name="warning" /> {odd} of {items.length} {odd === 1 ? "is" : "are"} unlike the others
            </strong>
          ) : (
            <span>None is unlike its peers.</span>
          )}{" "}
          <small>
            Odd is what lies further from the median of the stations with the same protocol and chip than chance
            explains (robust score above 3.5; from 10 runs and 4 peers on).
          </small>
        </p>
        <button type="button" onClick={asked.again}>
          Look again
        </button>
      </div>
      <ProblemNote problem={asked.problem} />
      {items.length ? <HealthTable items={shown} /> : <Empty>No station yet.</Empty>}
      {shown.length < items.length ? (
        <button type="button" onClick={() => setAll(true)}>
          Show all {items.length}
        </button>
      ) : null}
    </Panel>
  );
}

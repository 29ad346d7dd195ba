// SPDX-License-Identifier: Apache-2.0
/* What a tally comes to, as figures, and what the yields in it mean. */
import type { ComponentChildren } from "preact";
import { duration, percent } from "../core/format";
import { Icon } from "../ui/icons";
import { ShareKey, TimeBar } from "./bars";
import { type Statistics, type Tally, SHARES, cycleSeconds, ofFloor, shareUs } from "./statistics";
import "./totals.css";

function Figure({ name, children, under }: { name: string; children: ComponentChildren; under?: string }) {
  return (
    <div class="figure-tile">
      <dt>{name}</dt>
      <dd>
        <span class="figure-value">{children}</span>
        {under && <span class="figure-under">{under}</span>}
      </dd>
    </div>
  );
}

const OUTCOMES = ["pass", "fail", "aborted", "unknown"] as const;

function Outcomes({ tally }: { tally: Tally }) {
  return (
    <Figure name="Runs" under={tally.cancelled ? `and ${tally.cancelled} cancelled` : ""}>
      {OUTCOMES.filter((outcome) => outcome === "pass" || tally[outcome] > 0).map((outcome) => (
        <span key={outcome} class={`figure-outcome outcome-${outcome}`} title={outcome}>
          <Icon name={outcome} /> {tally[outcome]} <span class="figure-word">{outcome}</span>
        </span>
      ))}
    </Figure>
  );
}

export function meanTime(tally: Tally): string {
  const seconds = cycleSeconds(tally);
  return seconds === null ? "–" : duration(seconds * 1000);
}

export function floorPercent(tally: Tally): string {
  const ratio = ofFloor(tally);
  return ratio === null ? "–" : `${(100 * ratio).toFixed(1)} %`;
}

/** The mean time of a run that passed as a bar, with the same as words. */
function MeanBar({ tally }: { tally: Tally }) {
  if (!tally.timed_runs) return null;
  const times = Object.fromEntries(SHARES.map((share) => [share, shareUs(tally, share)])) as Record<
    (typeof SHARES)[number],
    number
  >;
  const words = SHARES.map((share) => `${share} ${percent(shareUs(tally, share), tally.us)}`).join(", ");
  return (
    <div class="mean-bar">
      <TimeBar times={times} total={tally.us} floor={tally.floor_us} whole={Math.max(tally.us, tally.floor_us)} />
      <p class="figure-under">Of the time of runs that passed: {words}.</p>
      <ShareKey />
    </div>
  );
}

export function Definitions({ definitions }: { definitions: Statistics["definitions"] }) {
  return (
    <dl class="definitions">
      <div>
        <dt class="hidden">First-pass yield</dt>
        <dd>{definitions.first_pass_yield}</dd>
      </div>
      <div>
        <dt class="hidden">Final yield</dt>
        <dd>{definitions.final_yield}</dd>
      </div>
    </dl>
  );
}

export function Totals({ tally, bar = false }: { tally: Tally; bar?: boolean }) {
  return (
    <>
      <dl class="figures">
        <Figure name="Units" under={`${tally.passed_units} passed in the end`}>
          {tally.units}
        </Figure>
        <Figure name="First-pass yield" under={`${tally.first_pass} of ${tally.units}`}>
          {percent(tally.first_pass, tally.units)}
        </Figure>
        <Figure name="Final yield" under={`${tally.passed_units} of ${tally.units}`}>
          {percent(tally.passed_units, tally.units)}
        </Figure>
        <Outcomes tally={tally} />
        <Figure name="Mean time" under="of a run that passed">
          {meanTime(tally)}
        </Figure>
        <Figure name="Of floor" under="100 % is the least possible">
          {floorPercent(tally)}
        </Figure>
      </dl>
      {bar && <MeanBar tally={tally} />}
    </>
  );
}

// SPDX-License-Identifier: Apache-2.0
/* The order, and how it goes. */
import type { ComponentChildren } from "preact";
import type { Job } from "../core/api";
import { jobs } from "../core/farm";
import { duration, percent, short } from "../core/format";
import { Disclosure } from "../ui/disclosure";
import { Icon } from "../ui/icons";
import { choice, figuresOf, shown } from "./order";
import { type Statistics, statistics } from "./statistics";

const TABS = 4; // more jobs than these are chosen from a list

function title(job: Job): string {
  return job.work_order || `Job ${job.id}`;
}

function Chooser() {
  const open = jobs.value;
  if (open.length < 2) return null;
  const chosen = shown.value.length > 1 ? "all" : shown.value[0]?.id;
  const places: { key: number | "all"; label: string }[] = [
    ...open.map((job) => ({ key: job.id, label: title(job) })),
    { key: "all", label: `all ${open.length}` },
  ];
  if (open.length > TABS)
    return (
      <select
        aria-label="Order that is shown"
        value={String(chosen)}
        onChange={({ currentTarget: { value } }) => (choice.value = value === "all" ? value : Number(value))}
      >
        {places.map(({ key, label }) => (
          <option key={key} value={String(key)}>
            {label}
          </option>
        ))}
      </select>
    );
  return (
    <span class="ln-tabs" role="group" aria-label="Order that is shown">
      {places.map(({ key, label }) => (
        <button key={key} type="button" aria-pressed={key === chosen} onClick={() => (choice.value = key)}>
          {label}
        </button>
      ))}
    </span>
  );
}

function JobState({ job }: { job: Job }) {
  const reason = job.reason ? `: ${job.reason}` : "";
  return (
    <span class={`ln-job-state ln-job-${job.state}`} title={job.state + reason}>
      <Icon name={job.state} /> {job.state}
      {reason}
    </span>
  );
}

function What({ job }: { job: Job }) {
  const made = job.recipe ? `${job.recipe.name} v${job.recipe.version}` : job.chip;
  const images = job.images.map(short).join(" + ");
  return (
    <>
      <h1 class="ln-order-title">{title(job)}</h1>
      <span class="ln-order-fact">
        <i>job</i> {job.id}
      </span>
      <span class="ln-order-fact">
        <i>{job.recipe ? "recipe" : "chip"}</i> {made}
      </span>
      <span class="ln-order-fact" title={job.images.join("\n")}>
        <i>image</i> <span class="mono">{images}</span>
      </span>
      <JobState job={job} />
    </>
  );
}

function WhatAll({ all }: { all: Job[] }) {
  const held = all.filter((job) => job.state === "held").length;
  return (
    <>
      <h1 class="ln-order-title">{all.length} open orders</h1>
      <span class="ln-order-fact ln-order-list">{all.map(title).join(", ")}</span>
      {held ? (
        <span class="ln-job-state ln-job-held">
          <Icon name="held" /> {held} held
        </span>
      ) : null}
    </>
  );
}

export function OrderLine({ children }: { children: ComponentChildren }) {
  const all = shown.value;
  const [first] = all;
  return (
    <div class="ln-order">
      <Chooser />
      {all.length > 1 ? <WhatAll all={all} /> : null}
      {all.length === 1 && first ? <What job={first} /> : null}
      {first ? null : <h1 class="ln-order-title">No job yet</h1>}
      <span class="grow" />
      {children}
    </div>
  );
}

function Figure({ label, children, more, tone = "plain" }: {
  label: string;
  children: ComponentChildren;
  more?: ComponentChildren;
  tone?: string;
}) {
  return (
    <div class={`ln-figure ln-figure-${tone}`}>
      <dt>{label}</dt>
      <dd>
        <b>{children}</b>
        <small>{more}</small>
      </dd>
    </div>
  );
}

function others(aborted: number, unknown: number): string {
  const parts = [aborted ? `${aborted} aborted` : "", unknown ? `${unknown} unknown` : ""].filter(Boolean);
  return parts.length ? `+ ${parts.join(", ")}` : "";
}

function Counts() {
  const all = shown.value;
  const { promised, inFlight, passed, failed, aborted, unknown, remaining } = figuresOf(all);
  const done = promised ? Math.min(1, passed / promised) : 0;
  return (
    <dl class="ln-figures ln-figures-counts" aria-label="Counts of the order">
      <Figure label="promised">{all.length ? promised : "–"}</Figure>
      <Figure label="in flight">{inFlight}</Figure>
      <Figure label="passed" more={promised ? percent(passed, promised) : null}>
        {passed}
      </Figure>
      <Figure label="failed" more={others(aborted, unknown)} tone={failed + aborted + unknown ? "bad" : "plain"}>
        {failed}
      </Figure>
      <Figure label="remaining">{all.length ? remaining : "–"}</Figure>
      <div class="ln-order-bar" aria-hidden="true">
        <span style={{ transform: `scaleX(${done})` }} />
      </div>
    </dl>
  );
}

/** What the passes would be apart if every station were as fast as wire and chip let it. */
function floorTakt(got: Statistics, stations: number): number | null {
  const { timed_runs, floor_us } = got.totals;
  return timed_runs && stations ? floor_us / timed_runs / stations : null;
}

/** As rough as it is known: 40 s, 12 min, 2.4 h */
function about(ms: number): string {
  if (ms < 90_000) return `${Math.round(ms / 1000)} s`;
  return ms < 90 * 60_000 ? `${Math.round(ms / 60_000)} min` : `${(ms / 3_600_000).toFixed(1)} h`;
}

function timeLeft(all: Job[], got: Statistics | null): string {
  const left = all.reduce((sum, job) => sum + (job.remaining ?? 0) + (job.in_flight ?? 0), 0);
  if (!all.some((job) => job.state === "running" || job.state === "held")) return "–";
  if (all.every((job) => job.state === "held")) return "held";
  if (left === 0) return "0 s";
  return got?.pace.takt_us ? about((left * got.pace.takt_us) / 1000) : "–";
}

function Definitions({ got }: { got: Statistics }) {
  return (
    <Disclosure label={<Icon name="info" />} name="What the yields mean">
      <dl class="ln-definitions">
        <dt>First-pass yield</dt>
        <dd>{got.definitions.first_pass_yield}</dd>
        <dt>Final yield</dt>
        <dd>{got.definitions.final_yield}</dd>
        <dt>Units per hour</dt>
        <dd>Runs that passed within the last 60 minutes.</dd>
        <dt>Takt</dt>
        <dd>Median gap between the last 21 passes. Floor: what wire and chip need, on all stations at once.</dd>
        <dt>Time left</dt>
        <dd>Units still to pass, times the takt.</dd>
      </dl>
    </Disclosure>
  );
}

function Yields() {
  const all = shown.value;
  const got = statistics.value;
  const stations = new Set(all.flatMap((job) => job.stations)).size;
  const floor = got ? floorTakt(got, stations) : null;
  const totals = got?.totals;
  return (
    <div class="ln-yields">
      {got ? <Definitions got={got} /> : null}
      <dl class="ln-figures" aria-label="Yield and pace">
        <Figure label="first-pass yield" more={totals ? `${totals.first_pass} of ${totals.units}` : null}>
          {totals ? percent(totals.first_pass, totals.units) : "–"}
        </Figure>
        <Figure label="final yield" more={totals ? `${totals.passed_units} of ${totals.units}` : null}>
          {totals ? percent(totals.passed_units, totals.units) : "–"}
        </Figure>
        <Figure label="units per hour">{got ? got.pace.passed_last_hour : "–"}</Figure>
        <Figure label="takt" more={floor === null ? null : `floor ${duration(floor / 1000)}`}>
          {got?.pace.takt_us == null ? "–" : duration(got.pace.takt_us / 1000)}
        </Figure>
        <Figure label="time left">{timeLeft(all, got)}</Figure>
      </dl>
    </div>
  );
}

export function Figures() {
  return (
    <div class="ln-head-figures">
      <Counts />
      <Yields />
    </div>
  );
}

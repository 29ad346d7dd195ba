// SPDX-License-Identifier: Apache-2.0
/* From the daemon's buckets to what a chart shows. */
import { type Pick, type Values, gridOf, middles, valuesOf } from "./buckets";
import {
  type Share,
  type Statistics,
  type Tally,
  SHARES,
  cycleSeconds,
  finalYield,
  firstPassYield,
  ofFloor,
  shareUs,
} from "./statistics";
import { ALL_STYLE, type Style, styleOf } from "./style";

export interface Line {
  name: string;
  values: Values;
  style: Style;
  /** of the whole span, as text */
  overall: string;
  /** of a stack: filled, on top of the lines behind it */
  share?: Share;
}

export interface Chart {
  id: string;
  title: string;
  /** what it says, in a sentence */
  summary: string;
  /** why there is nothing to draw */
  empty: string | null;
  /** middles of the buckets, in seconds since 1970 */
  x: readonly number[];
  /** that x begins and ends with, and how long a bucket is */
  from: number;
  to: number;
  bucketS: number;
  lines: readonly Line[];
  stacked: boolean;
  /** how a value is written */
  text: (value: number) => string;
  /** of the y axis, from the data's least and greatest */
  range: (low: number, high: number) => [number, number];
}

export function percentText(value: number): string {
  return value > 0 && value < 0.0005 ? "<0.1 %" : `${(100 * value).toFixed(1)} %`;
}

export function secondsText(value: number): string {
  if (value < 1) return value > 0 && value < 0.001 ? "<1 ms" : `${Math.round(value * 1000)} ms`;
  return `${value.toFixed(value < 10 ? 2 : 1)} s`;
}

export function textOr(value: number | null, text: (value: number) => string): string {
  return value === null ? "–" : text(value);
}

/** What all charts of an answer have in common. */
function common(answer: Statistics) {
  const grid = gridOf(answer);
  return { grid, x: middles(grid), from: grid.from, to: grid.to, bucketS: grid.bucketS };
}

// --- why there is nothing --------------------------------------------------------------------------------------------

const NOTHING = "No run ended in this time with these filters.";

function whyEmpty(totals: Tally, what: "units" | "times"): string | null {
  if (totals.runs + totals.cancelled === 0) return NOTHING;
  if (what === "units") return totals.units ? null : "Runs ended, but no unit was tried: all were cancelled.";
  return totals.timed_runs ? null : "Runs ended, but none of them passed; times are of runs that passed.";
}

// --- the charts ------------------------------------------------------------------------------------------------------

const YIELD_STYLES: readonly Style[] = [
  { hue: "--line-0", dash: [], marker: "circle", width: 2.25 },
  { hue: "--line-2", dash: [8, 4], marker: "square", width: 2.25, open: true },
];

function lowest(x: readonly number[], values: Values): { at: number; value: number } | null {
  if (values.filter((value) => value !== null).length < 2) return null;
  let found: { at: number; value: number } | null = null;
  values.forEach((value, index) => {
    if (value !== null && (!found || value < found.value)) found = { at: x[index] ?? 0, value };
  });
  return found;
}

export function momentText(at: number): string {
  const options: Intl.DateTimeFormatOptions = { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" };
  return new Date(at * 1000).toLocaleString(undefined, { ...options, hour12: false });
}

export function yieldChart(answer: Statistics): Chart {
  const { grid, ...base } = common(answer);
  const { totals } = answer;
  const first = valuesOf(grid, answer.series, firstPassYield);
  const worst = lowest(base.x, first);
  const firstText = textOr(firstPassYield(totals), percentText);
  const finalText = textOr(finalYield(totals), percentText);
  const low = worst ? `, lowest ${percentText(worst.value)} around ${momentText(worst.at)}` : "";
  return {
    ...base,
    id: "yield",
    title: "Yield",
    summary: `Of ${totals.units} units, ${firstText} passed at once${low}; ${finalText} passed in the end.`,
    empty: whyEmpty(totals, "units"),
    lines: [
      { name: "first pass", values: first, style: YIELD_STYLES[0] ?? ALL_STYLE, overall: firstText },
      {
        name: "final",
        values: valuesOf(grid, answer.series, finalYield),
        style: YIELD_STYLES[1] ?? ALL_STYLE,
        overall: finalText,
      },
    ],
    stacked: false,
    text: percentText,
    range: (bottom) => [Math.max(0, Math.min(0.9, bottom - (1 - bottom) * 0.15)), 1.005],
  };
}

export const ALL = "all stations";

/** The stations that are shown, and the style of each: a line keeps its own while others come and go. */
export type Shown = ReadonlyMap<string, number>;

export function toggled(shown: Shown, name: string): Shown {
  const next = new Map(shown);
  if (next.delete(name)) return next;
  const taken = new Set(next.values());
  let slot = 0;
  while (taken.has(slot)) slot++;
  return next.set(name, name === ALL ? -1 : slot);
}

/** Those that are furthest from their floor, until others are chosen. */
export function firstShown(parts: Statistics, count: number): Shown {
  const sorted = [...parts.by_station].sort((a, b) => (ofFloor(b) ?? 0) - (ofFloor(a) ?? 0));
  return [ALL, ...sorted.slice(0, count).map((station) => station.station)].reduce<Shown>(toggled, new Map());
}

export function styleIn(shown: Shown, name: string): Style {
  return name === ALL ? ALL_STYLE : styleOf(shown.get(name) ?? 0);
}

/** Of one figure: all stations together, and each of those that are shown. */
function stationLines(whole: Statistics, parts: Statistics, shown: Shown, pick: Pick, text: Chart["text"]): Line[] {
  const grid = gridOf(parts);
  const lines: Line[] = [];
  if (shown.has(ALL) && whole.bucket_s === parts.bucket_s)
    lines.push({
      name: ALL,
      values: valuesOf(grid, whole.series, pick),
      style: ALL_STYLE,
      overall: textOr(pick(whole.totals), text),
    });
  for (const station of parts.by_station) {
    if (!shown.has(station.station)) continue;
    lines.push({
      name: station.station,
      values: valuesOf(grid, parts.series.filter((bucket) => bucket.station === station.station), pick),
      style: styleIn(shown, station.station),
      overall: textOr(pick(station), text),
    });
  }
  return lines;
}

function extremes(parts: Statistics, pick: Pick, text: (value: number) => string, most: string, least: string): string {
  const known = parts.by_station
    .map((station) => ({ name: station.station, value: pick(station) }))
    .filter((station): station is { name: string; value: number } => station.value !== null)
    .sort((a, b) => b.value - a.value);
  const [top] = known;
  const bottom = known.at(-1);
  if (!top || !bottom || top === bottom) return "";
  return ` ${most} ${top.name} with ${text(top.value)}, ${least} ${bottom.name} with ${text(bottom.value)}.`;
}

export interface Both {
  whole: Statistics;
  parts: Statistics;
  /** the filter that it is the answer to */
  of: string;
}

function around(low: number, high: number): [number, number] {
  const pad = Math.max((high - low) * 0.12, high * 0.02, 0.001);
  return [Math.max(0, low - pad), high + pad];
}

export function cycleChart({ whole, parts }: Both, shown: Shown): Chart {
  const { grid: _grid, ...base } = common(parts);
  const mean = textOr(cycleSeconds(whole.totals), secondsText);
  const rest = extremes(parts, cycleSeconds, secondsText, "Slowest", "fastest");
  return {
    ...base,
    id: "cycle",
    title: "Cycle time per station",
    summary: `A run that passed took ${mean} in the mean.${rest}`,
    empty: whyEmpty(whole.totals, "times"),
    lines: stationLines(whole, parts, shown, cycleSeconds, secondsText),
    stacked: false,
    text: secondsText,
    range: around,
  };
}

export function floorChart({ whole, parts }: Both, shown: Shown): Chart {
  const { grid: _grid, ...base } = common(parts);
  const mean = textOr(ofFloor(whole.totals), percentText);
  const rest = extremes(parts, ofFloor, percentText, "Furthest from it", "nearest");
  return {
    ...base,
    id: "floor",
    title: "Percent of floor per station",
    summary: `Runs that passed took ${mean} of the time that wire and chip need at least (100 %).${rest}`,
    empty: whyEmpty(whole.totals, "times"),
    lines: stationLines(whole, parts, shown, ofFloor, percentText),
    stacked: false,
    text: percentText,
    range: (low, high) => [Math.min(1, low) - 0.01, around(low, high)[1]],
  };
}

function perRun(pick: (tally: Tally) => number): Pick {
  return (tally) => (tally.timed_runs ? pick(tally) / 1e6 / tally.timed_runs : null);
}

const FLOOR_STYLE: Style = { hue: "--ink", dash: [], marker: "tick", width: 0 };

export function sharesChart(whole: Statistics): Chart {
  const { grid, ...base } = common(whole);
  const { totals } = whole;
  const mean = textOr(cycleSeconds(totals), secondsText);
  const share = (name: Share) => `${name} ${textOr(totals.us ? shareUs(totals, name) / totals.us : null, percentText)}`;
  const lines: Line[] = SHARES.map((name) => {
    const pick = perRun((tally) => shareUs(tally, name));
    return {
      name,
      values: valuesOf(grid, whole.series, pick),
      style: { ...ALL_STYLE, hue: `--share-${name}` },
      overall: textOr(pick(totals), secondsText),
      share: name,
    };
  });
  const floor = perRun((tally) => tally.floor_us);
  lines.push({
    name: "floor",
    values: valuesOf(grid, whole.series, floor),
    style: FLOOR_STYLE,
    overall: textOr(floor(totals), secondsText),
  });
  return {
    ...base,
    id: "shares",
    title: "Where the time goes",
    summary: `Of ${mean} in the mean: ${SHARES.map(share).join(", ")}.`,
    empty: whyEmpty(totals, "times"),
    lines,
    stacked: true,
    text: secondsText,
    range: (_low, high) => [0, high * 1.08],
  };
}

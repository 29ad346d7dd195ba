// SPDX-License-Identifier: Apache-2.0
/* What the charts are of. It stands in the page's address, so that it can be sent to somebody. */
import type { Asked } from "./statistics";

export const SPANS = {
  hour: { words: "last hour", seconds: 3600 },
  shift: { words: "last shift (8 h)", seconds: 8 * 3600 },
  day: { words: "last day", seconds: 86_400 },
  week: { words: "last 7 days", seconds: 7 * 86_400 },
  month: { words: "last 30 days", seconds: 30 * 86_400 },
} as const;

/** "range" is from … to …; "all" all of a job or work order */
export type Span = keyof typeof SPANS | "range" | "all";

export interface Filter {
  span: Span;
  from: string;
  to: string;
  job: string;
  work_order: string;
  station: string;
}

const MEMBERS = ["from", "to", "job", "work_order", "station"] as const;

export function filterOf(query: URLSearchParams): Filter {
  const text = (name: string) => query.get(name) ?? "";
  const [from, to, job, work_order, station] = MEMBERS.map(text) as [string, string, string, string, string];
  const span = text("span");
  const known = span in SPANS || span === "range" || (span === "all" && (job || work_order));
  return { span: known ? (span as Span) : "shift", from, to, job, work_order, station };
}

export function queryOf(filter: Filter): Record<string, string> {
  const { span, from, to, ...rest } = filter;
  const members = span === "range" ? { span, from, to, ...rest } : { span, ...rest };
  return Object.fromEntries(Object.entries(members).filter(([, text]) => text !== ""));
}

const BUCKETS_S = [300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400] as const;
const POINTS = 72; // of one line; more cannot be told apart
const VALUES = 8192; // of all stations together

/** How long a bucket is, so that a line has enough points and all stations together not too many. */
export function bucketFor(spanS: number, stations: number): number {
  const points = Math.max(8, Math.min(POINTS, Math.floor(VALUES / Math.max(1, stations))));
  return BUCKETS_S.find((bucketS) => spanS / bucketS <= points) ?? 86_400;
}

function spanOf(filter: Filter, now: number): { from: number; to: number } | null {
  if (filter.span === "all") return null;
  if (filter.span !== "range") return { from: now - SPANS[filter.span].seconds * 1000, to: now };
  const from = Date.parse(filter.from);
  const to = filter.to ? Date.parse(filter.to) : now;
  return { from, to };
}

/** What is wrong with it; null: nothing. */
export function trouble(filter: Filter, now: number): string | null {
  const span = spanOf(filter, now);
  if (filter.job && !/^[1-9][0-9]{0,14}$/.test(filter.job)) return "A job is a number.";
  if (!span) return null;
  if (Number.isNaN(span.from) || Number.isNaN(span.to)) return "Choose from when on, and until when.";
  return span.from < span.to ? null : "The time ends before it begins.";
}

/** The question to the daemon. */
export function askedOf(filter: Filter, now: number, stations: number): Asked {
  const span = spanOf(filter, now);
  return {
    ...(filter.job ? { job: Number(filter.job) } : {}),
    ...(filter.work_order ? { work_order: filter.work_order } : {}),
    ...(filter.station ? { station: filter.station } : {}),
    ...(span
      ? {
          from: new Date(span.from).toISOString(),
          to: new Date(span.to).toISOString(),
          bucket_s: bucketFor((span.to - span.from) / 1000, filter.station ? 1 : stations),
        }
      : {}),
  };
}

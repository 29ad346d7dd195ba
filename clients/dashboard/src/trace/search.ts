// SPDX-License-Identifier: Apache-2.0
/* What a text may mean: each meaning is asked of the daemon, all at once. */
import { type Image, type Unit, answer, asProblem, client } from "../core/api";
import { short } from "../core/format";
import { runsThat } from "./runs";

/** What a view of the trace page is of; these are also the members of its address. */
export type Subject = "serial" | "work_order" | "image" | "run" | "job";

export interface Meaning {
  subject: Subject;
  id: string;
  /** "Serial", "Chip UID", … */
  what: string;
  name: string;
  detail: string;
}

export interface Findings {
  found: Meaning[];
  /** what was looked for, in words */
  looked: string[];
  /** what could not be looked for, and why */
  trouble: string[];
}

/** null where the daemon knows none, or says that no such thing can be */
export async function orNull<T>(asked: Promise<T>): Promise<T | null> {
  try {
    return await asked;
  } catch (thrown) {
    const problem = asProblem(thrown);
    if (problem.status === 404 || problem.status === 400 || problem.status === 422) return null;
    throw problem;
  }
}

export function countOf(count: number, one: string): string {
  return `${count} ${one}${count === 1 ? "" : "s"}`;
}

function told(unit: Unit): string {
  const last = unit.runs.reduce((newest, run) => (run.id > newest.id ? run : newest));
  return `${countOf(unit.runs.length, "run")}, the last ${last.outcome ?? "under way"} at ${last.station}`;
}

function unitMeaning(unit: Unit, text: string): Meaning {
  const same = (value: string | null) => value !== null && value.toLowerCase() === text.toLowerCase();
  const what = same(unit.serial) ? "Serial" : same(unit.uid) ? "Chip UID" : "Number of a unit";
  return { subject: "serial", id: text, what, name: text, detail: told(unit) };
}

async function asUnit(text: string): Promise<Meaning[]> {
  const spellings = [...new Set([text, /^[0-9a-f]+$/i.test(text) ? text.toLowerCase() : text])];
  const units = await Promise.all(
    spellings.map(async (serial) => {
      const unit = await orNull(answer(client.GET("/v1/units/{serial}", { params: { path: { serial } } })));
      return unit ? unitMeaning(unit, serial) : null;
    }),
  );
  return units.filter((unit) => unit !== null).slice(0, 1);
}

/** A number that was given out or burned, though no run is known of it. */
async function asNumber(text: string): Promise<Meaning[]> {
  const number = await orNull(answer(client.GET("/v1/serials/{serial}", { params: { path: { serial: text } } })));
  if (!number || number.run !== null) return [];
  return [{ subject: "serial", id: text, what: "Serial", name: text, detail: `no run; ${number.state}` }];
}

async function asWorkOrder(text: string): Promise<Meaning[]> {
  const query = { work_order: text, limit: 1 };
  const [jobs, runs] = await Promise.all([
    answer(client.GET("/v1/jobs", { params: { query } })),
    runsThat(query),
  ]);
  if (!jobs.items.length && !runs.items.length) return [];
  const [last] = runs.items;
  const detail = last ? `last run ${last.id} at ${last.station}` : "no run yet";
  return [{ subject: "work_order", id: text, what: "Work order", name: text, detail }];
}

async function allImages(): Promise<Image[]> {
  const images: Image[] = [];
  for (let cursor: string | undefined; ; ) {
    const query = cursor === undefined ? { limit: 1000 } : { limit: 1000, cursor };
    const page = await answer(client.GET("/v1/images", { params: { query } }));
    images.push(...page.items);
    if (page.next === null) return images;
    cursor = String(page.next);
  }
}

function imageMeaning(image: Image): Meaning {
  const name = image.name ?? short(image.id);
  return { subject: "image", id: image.id, what: "Image", name, detail: `SHA-256 ${image.id.slice(0, 16)}…` };
}

const PART_LENGTH = 3; // of a file name or hash; shorter texts would find almost everything

async function asImage(text: string): Promise<Meaning[]> {
  const lower = text.toLowerCase();
  if (/^[0-9a-f]{64}$/.test(lower)) {
    const image = await orNull(answer(client.GET("/v1/images/{id}", { params: { path: { id: lower } } })));
    return image ? [imageMeaning(image)] : [];
  }
  if (text.length < PART_LENGTH) return [];
  const images = await allImages();
  const named = images.filter((image) => image.name?.toLowerCase() === lower);
  const partly = (image: Image) => image.id.startsWith(lower) || image.name?.toLowerCase().includes(lower);
  return (named.length ? named : images.filter(partly)).map(imageMeaning);
}

function numberIn(text: string, word: string): number | null {
  const match = new RegExp(`^(?:${word}[ :#]*)?([0-9]{1,15})$`, "i").exec(text);
  const number = match ? Number(match[1]) : 0;
  return number > 0 ? number : null;
}

async function asRun(text: string): Promise<Meaning[]> {
  const id = numberIn(text, "run");
  const run = id && (await orNull(answer(client.GET("/v1/runs/{id}", { params: { path: { id } } }))));
  if (!run) return [];
  const detail = `${run.outcome ?? "under way"} at ${run.station}`;
  return [{ subject: "run", id: String(run.id), what: "Run", name: String(run.id), detail }];
}

async function asJob(text: string): Promise<Meaning[]> {
  const id = numberIn(text, "job");
  const job = id && (await orNull(answer(client.GET("/v1/jobs/{id}", { params: { path: { id } } }))));
  if (!job) return [];
  const detail = `${job.state}, ${countOf(job.counts.started, "run")} of ${job.chip}`;
  return [{ subject: "job", id: String(job.id), what: "Job", name: String(job.id), detail }];
}

const searches: { words: string; find: (text: string) => Promise<Meaning[]>; fits?: RegExp }[] = [
  { words: "a unit with that serial, number or chip UID", find: asUnit },
  { words: "a number of a pool", find: asNumber },
  { words: "a work order", find: asWorkOrder },
  { words: "an image whose hash begins so or whose file name has that in it", find: asImage },
  { words: "a run", find: asRun, fits: /^(run[ :#]*)?[0-9]{1,15}$/i },
  { words: "a job", find: asJob, fits: /^(job[ :#]*)?[0-9]{1,15}$/i },
];

export async function search(text: string): Promise<Findings> {
  const fitting = searches.filter(({ fits }) => !fits || fits.test(text));
  const results = await Promise.allSettled(fitting.map(({ find }) => find(text)));
  const findings: Findings = { found: [], looked: [], trouble: [] };
  results.forEach((result, index) => {
    const words = fitting[index]?.words ?? "";
    if (result.status === "fulfilled") {
      findings.looked.push(words);
      findings.found.push(...result.value);
    } else {
      findings.trouble.push(`${words}: ${asProblem(result.reason).message}`);
    }
  });
  return findings;
}

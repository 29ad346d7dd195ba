// SPDX-License-Identifier: Apache-2.0
/* What happened while the daemon could not be heard: the facts between the last one that was told before and the
 * newest one of the moment when the stream was open again. */
import { signal } from "@preact/signals";
import type { Fact } from "./facts";

const KEPT = 500; // facts that are listed; all are counted

export interface Missed {
  /** the last fact before */
  from: number;
  /** when the connection broke and when it was there again, Date.now() */
  since: number;
  until: number;
  /** how many of each kind; of run.ended by outcome: "run.ended pass" */
  counts: ReadonlyMap<string, number>;
  total: number;
  /** the first of them, at most KEPT */
  facts: readonly Fact[];
}

/** null when nothing was missed, or it has been looked at */
export const missed = signal<Missed | null>(null);

interface Gap extends Missed {
  counts: Map<string, number>;
  facts: Fact[];
  /** null until the daemon has said what the newest fact was */
  head: number | null;
  late: Fact[];
}

let gap: Gap | null = null;
let changed = false;

export function forgetGap(): void {
  gap = null;
  changed = false;
  missed.value = null;
}

/** The stream is open again. What was missed before and has not been looked at is told together with it. */
export function openGap(from: number, since: number): void {
  const before = missed.value;
  gap = {
    from: before?.from ?? from,
    since: before?.since ?? since,
    until: Date.now(),
    counts: new Map(before?.counts),
    total: before?.total ?? 0,
    facts: [...(before?.facts ?? [])],
    head: null,
    late: [],
  };
}

function word(fact: Fact): string {
  const outcome = (fact.body as { outcome?: string }).outcome;
  return fact.kind === "run.ended" && outcome ? `run.ended ${outcome}` : fact.kind;
}

function count(open: Gap, fact: Fact): void {
  open.total++;
  open.counts.set(word(fact), (open.counts.get(word(fact)) ?? 0) + 1);
  if (open.facts.length < KEPT) open.facts.push(fact);
  changed = true;
}

/** Each fact in turn, missed or not; `more` is what its body leaves out, for people. */
export function noteFact(fact: Fact, more?: { station: string; serial?: string | null }): void {
  if (gap) note(more ? { ...fact, body: { ...more, ...(fact.body as object) } } : fact);
}

function note(fact: Fact): void {
  if (!gap) return;
  const sequence = fact.sequence ?? 0;
  if (gap.head === null) gap.late.push(fact);
  else if (sequence <= gap.head) count(gap, fact);
  if (gap.head !== null && sequence >= gap.head) endGap();
}

function endGap(): void {
  tellGap();
  gap = null;
}

/** The newest fact when the stream was open again; facts came meanwhile. */
export function boundGap(head: number): void {
  if (!gap || gap.head !== null) return;
  const { late } = gap;
  gap.head = head;
  gap.late = [];
  if (head <= gap.from && gap.total === 0) gap = null;
  else for (const fact of late) note(fact);
}

/** Shows what has been counted since the last time. */
export function tellGap(): void {
  if (!gap || !changed) return;
  changed = false;
  const { from, since, until, total } = gap;
  missed.value = { from, since, until, total, counts: new Map(gap.counts), facts: [...gap.facts] };
}

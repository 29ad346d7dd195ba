// SPDX-License-Identifier: Apache-2.0
/* A chip's flash as a bar to scale, with what lies where; the same is said by the table beside it. */
import { useState } from "preact/hooks";
import { bytes, hex } from "../core/format";
import { Icon } from "../ui/icons";

export interface Span {
  kind: "image" | "field" | "check" | "keep";
  label: string;
  address: number;
  size: number;
  /** what else the table says of it */
  note?: string;
}

interface View {
  from: number;
  size: number;
}

const kindWords = { image: "image", field: "field", check: "check", keep: "kept" };

export function lastOf(span: { address: number; size: number }): number {
  return span.address + span.size - 1;
}

export function isInside(span: Span, view: View): boolean {
  return span.address >= view.from && span.address + span.size <= view.from + view.size;
}

function part(value: number, view: View): string {
  return `${(100 * value) / view.size}%`;
}

function isSeen(span: Span, view: View): boolean {
  return span.address < view.from + view.size && span.address + span.size > view.from;
}

function Bar({ view, spans, label }: { view: View; spans: Span[]; label: string }) {
  return (
    <div class="flash-bar" role="img" aria-label={label}>
      {spans
        .filter((span) => isSeen(span, view))
        .map((span, index) => (
          <span
            key={index}
            class={`flash-span flash-${span.kind}`}
            title={`${span.label}: ${hex(span.address)} to ${hex(lastOf(span))}, ${bytes(span.size)}`}
            style={{ left: part(span.address - view.from, view), width: part(span.size, view) }}
          />
        ))}
    </div>
  );
}

function Ends({ view }: { view: View }) {
  const last = view.from + view.size - 1;
  return (
    <div class="flash-ends mono" aria-hidden="true">
      <span>{hex(view.from)}</span>
      <span class="flash-middle">{bytes(view.size)}</span>
      <span>{hex(last)}</span>
    </div>
  );
}

/** A round step that divides the flash into 4 to 8. */
function ticks(view: View): number[] {
  let step = 1;
  while (view.size / step > 8) step *= 2;
  const marks: number[] = [];
  for (let at = step; at < view.size; at += step) marks.push(at);
  return marks;
}

function Ticks({ view }: { view: View }) {
  return (
    <div class="flash-ticks mono" aria-hidden="true">
      {ticks(view).map((at) => (
        <span key={at} style={{ left: part(at, view) }}>
          +{bytes(at).replace(".0", "")}
        </span>
      ))}
    </div>
  );
}

/** What is worth a closer look: where each unit differs, else all that is there, when that is a small part. */
function closer(view: View, all: Span[]): View | null {
  const own = all.filter((span) => span.kind !== "image");
  const spans = own.length ? own : all;
  const from = Math.min(...spans.map((span) => span.address));
  const end = Math.max(...spans.map((span) => span.address + span.size));
  const margin = Math.max(1, Math.round((end - from) * 0.05));
  const low = Math.max(view.from, from - margin);
  const size = Math.min(view.from + view.size, end + margin) - low;
  return spans.length && size < view.size / 3 ? { from: low, size } : null;
}

/* Lines from the part of the upper bar to the whole of the lower one. */
function Funnel({ view, near }: { view: View; near: View }) {
  const left = (100 * (near.from - view.from)) / view.size;
  const right = left + (100 * near.size) / view.size;
  return (
    <svg class="flash-funnel" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">
      <polygon points={`${left},0 ${right},0 100,10 0,10`} />
    </svg>
  );
}

function Legend({ spans }: { spans: Span[] }) {
  const kinds = [...new Set(spans.map((span) => span.kind))];
  return (
    <ul class="flash-legend" aria-hidden="true">
      {kinds.map((kind) => (
        <li key={kind}>
          <span class={`flash-key flash-${kind}`} /> {kindWords[kind]}
        </li>
      ))}
      <li>
        <span class="flash-key" /> free
      </li>
    </ul>
  );
}

function sum(spans: Span[]): number {
  return spans.reduce((total, span) => total + span.size, 0);
}

export function FlashMap({
  chip,
  spans,
}: {
  chip: { name: string; flash_base: number; flash_size: number };
  spans: Span[];
}) {
  const view = { from: chip.flash_base, size: chip.flash_size };
  const inside = spans.filter((span) => isInside(span, view));
  const outside = spans.filter((span) => !isInside(span, view));
  const used = sum(inside.filter((span) => span.kind === "image"));
  const near = closer(view, inside);
  const said = `Flash of ${chip.name}: ${bytes(used)} of ${bytes(view.size)} are taken by ${inside.length} ranges`;
  return (
    <div class="flash">
      <p class="flash-head">
        <strong>{chip.name}</strong> {bytes(used)} of {bytes(view.size)} ({((100 * used) / view.size).toFixed(1)} %)
      </p>
      <Ticks view={view} />
      <Bar view={view} spans={inside} label={said} />
      {near ? <Funnel view={view} near={near} /> : <Ends view={view} />}
      {near ? <Bar view={near} spans={inside} label={`The same, from ${hex(near.from)} on, larger`} /> : null}
      {near ? <Ends view={near} /> : null}
      <Legend spans={inside} />
      {outside.map((span, index) => (
        <p key={index} class="note note-bad">
          <Icon name="warning" /> {span.label}: {hex(span.address)} to {hex(lastOf(span))} is outside the flash of{" "}
          {chip.name} ({hex(view.from)} to {hex(view.from + view.size - 1)}).
        </p>
      ))}
    </div>
  );
}

interface Row {
  span: Span | null;
  address: number;
  size: number;
}

/** The spans in ascending order, with the gaps between them. */
function rowsOf(spans: Span[]): Row[] {
  const rows: Row[] = [];
  let end: number | null = null;
  for (const span of [...spans].sort((a, b) => a.address - b.address)) {
    if (end !== null && span.address > end) rows.push({ span: null, address: end, size: span.address - end });
    rows.push({ span, address: span.address, size: span.size });
    end = Math.max(end ?? 0, span.address + span.size);
  }
  return rows;
}

const FIRST_ROWS = 100;

export function SpanTable({ spans, note }: { spans: Span[]; note: string }) {
  const [all, setAll] = useState(false);
  const rows = rowsOf(spans);
  const shown = all ? rows : rows.slice(0, FIRST_ROWS);
  return (
    <>
      <SpanRows rows={shown} note={note} />
      {shown.length < rows.length ? (
        <button type="button" onClick={() => setAll(true)}>
          Show all {rows.length} rows
        </button>
      ) : null}
    </>
  );
}

function SpanRows({ rows, note }: { rows: Row[]; note: string }) {
  return (
    <table class="spans">
      <thead>
        <tr>
          <th scope="col">What</th>
          <th scope="col">From</th>
          <th scope="col">To</th>
          <th scope="col" class="num">
            Size
          </th>
          <th scope="col">{note}</th>
        </tr>
      </thead>
      <tbody>
        {rows.map((row, index) => (
          <tr key={index} class={row.span ? undefined : "gap"}>
            <td>{row.span?.label ?? "gap"}</td>
            <td class="mono">{hex(row.address)}</td>
            <td class="mono">{hex(lastOf(row))}</td>
            <td class="num">{bytes(row.size)}</td>
            <td class="mono">{row.span?.note ?? ""}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

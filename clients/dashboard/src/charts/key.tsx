// SPDX-License-Identifier: Apache-2.0
/* The key to the lines of a chart: how each is drawn, and its value under the cursor, or else of the whole span. */
import type { Signal } from "@preact/signals";
import { type Chart, type Line, momentText, textOr } from "./model";
import { markerPath } from "./style";

export function Sample({ line }: { line: Pick<Line, "style" | "share"> }) {
  if (line.share) return <span class={`swatch share-${line.share}`} aria-hidden="true" />;
  const { hue, dash, marker, width, open } = line.style;
  return (
    <svg class="sample" viewBox="0 0 32 12" aria-hidden="true" focusable="false" style={{ color: `var(${hue})` }}>
      <path d="M0 6H32" stroke="currentColor" fill="none" stroke-width={width} stroke-dasharray={dash.join(" ")} />
      <path
        d={markerPath(marker, 16, 6, open ? 4.5 : 3)}
        stroke="currentColor"
        fill={open ? "none" : "currentColor"}
        stroke-width={width ? 1.5 : 2.5}
      />
    </svg>
  );
}

function Entry({ line, value, onToggle }: { line: Line; value: string; onToggle?: (name: string) => void }) {
  const inside = (
    <>
      <Sample line={line} /> {line.name} <span class="key-value">{value}</span>
    </>
  );
  if (!onToggle) return <span class="key-entry">{inside}</span>;
  return (
    <button
      type="button"
      class="key-entry"
      aria-label={`${line.name} ${value}: take out of the charts`}
      onClick={() => onToggle(line.name)}
    >
      {inside}
      <span aria-hidden="true" class="key-cross">
        ×
      </span>
    </button>
  );
}

export function Key({ chart, cursor, onToggle }: {
  chart: Chart;
  cursor: Signal<number | null>;
  onToggle?: (name: string) => void;
}) {
  const index = cursor.value;
  const at = index === null ? null : chart.x[index];
  return (
    <div class="key">
      <span class="key-when">{at == null ? "in all" : momentText(at - chart.bucketS / 2)}</span>
      {chart.lines.map((line) => (
        <Entry
          key={line.name}
          line={line}
          value={index === null ? line.overall : textOr(line.values[index] ?? null, chart.text)}
          {...(onToggle ? { onToggle } : {})}
        />
      ))}
    </div>
  );
}

// SPDX-License-Identifier: Apache-2.0
/* One chart with all that belongs to it: title, sentence, canvas or table, and the key to its lines. */
import { type Signal, useSignal } from "@preact/signals";
import { useState } from "preact/hooks";
import { Key } from "./key";
import { type Chart, momentText, textOr } from "./model";
import { Plot } from "./plot";

function spanText(bucketS: number): string {
  if (bucketS % 86_400 === 0) return bucketS === 86_400 ? "1 day" : `${bucketS / 86_400} days`;
  if (bucketS % 3600 === 0) return `${bucketS / 3600} h`;
  return `${bucketS / 60} min`;
}

function ChartTable({ chart }: { chart: Chart }) {
  const rows = chart.x
    .map((middle, index) => ({ start: middle - chart.bucketS / 2, index }))
    .filter(({ index }) => chart.lines.some((line) => line.values[index] != null));
  return (
    <div class="chart-table" tabIndex={0} role="region" aria-label={`${chart.title} as table`}>
      <table>
        <caption class="hidden">
          {chart.title}. {chart.summary}
        </caption>
        <thead>
          <tr>
            <th scope="col">{spanText(chart.bucketS)} from</th>
            {chart.lines.map((line) => (
              <th key={line.name} scope="col" class="figure">
                {line.name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map(({ start, index }) => (
            <tr key={start}>
              <th scope="row">{momentText(start)}</th>
              {chart.lines.map((line) => (
                <td key={line.name} class="figure">
                  {textOr(line.values[index] ?? null, chart.text)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** What the cursor stands on, in words for who cannot see it. */
function Spoken({ chart, cursor }: { chart: Chart; cursor: Signal<number | null> }) {
  const index = cursor.value;
  if (index === null) return <p class="hidden" role="status" />;
  const at = momentText((chart.x[index] ?? 0) - chart.bucketS / 2);
  const values = chart.lines.map((line) => `${line.name} ${textOr(line.values[index] ?? null, chart.text)}`);
  return (
    <p class="hidden" role="status">
      {at}: {values.join(", ")}
    </p>
  );
}

export function ChartCard({ chart, onSpan, onToggle }: {
  chart: Chart;
  onSpan: (from: number, to: number) => void;
  /** takes a line out of the chart; none: all lines stay */
  onToggle?: (name: string) => void;
}) {
  const [asTable, setAsTable] = useState(false);
  const [focused, setFocused] = useState(false);
  const cursor = useSignal<number | null>(null);
  return (
    <section class="panel chart" aria-labelledby={`chart-${chart.id}`}>
      <header class="panel-head">
        <h2 id={`chart-${chart.id}`}>{chart.title}</h2>
        {!chart.empty && (
          <button type="button" class="quiet" aria-pressed={asTable} onClick={() => setAsTable(!asTable)}>
            Show as table<span class="hidden">: {chart.title}</span>
          </button>
        )}
      </header>
      {!chart.empty && <p class="chart-summary">{chart.summary}</p>}
      {chart.empty && <p class="empty chart-empty">{chart.empty}</p>}
      {!chart.empty && asTable && <ChartTable chart={chart} />}
      {!chart.empty && !asTable && (
        <div onFocusIn={() => setFocused(true)} onFocusOut={() => setFocused(false)}>
          <Plot chart={chart} cursor={cursor} onSpan={onSpan} />
          <Key chart={chart} cursor={cursor} {...(onToggle ? { onToggle } : {})} />
          {focused && <Spoken chart={chart} cursor={cursor} />}
        </div>
      )}
    </section>
  );
}

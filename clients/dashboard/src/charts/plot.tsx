// SPDX-License-Identifier: Apache-2.0
/* The canvas of one chart. It follows its box, the theme and new data; its cursor is moved by pointer or arrow keys. */
import { type Signal, signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { theme } from "../core/theme";
import { type Listener, dataOf, optionsOf } from "./draw";
import type { Chart } from "./model";

/** goes up by one when the system changes between dark and light */
const systemTheme = signal(0);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => systemTheme.value++);

/** Moves the cursor by buckets; without one it begins at the newest. */
function moveCursor(plot: uPlot, key: string): boolean {
  const last = plot.data[0].length - 1;
  const now = plot.cursor.idx ?? last + 1;
  const moves: Record<string, number> = { ArrowLeft: now - 1, ArrowRight: now + 1, Home: 0, End: last };
  const wanted = moves[key];
  if (wanted === undefined) return false;
  const index = Math.max(0, Math.min(last, wanted));
  plot.setCursor({ left: plot.valToPos(plot.data[0][index] ?? 0, "x"), top: 1 });
  return true;
}

/** What makes a new plot necessary; new figures of the same lines do not. */
function shapeOf(chart: Chart): string {
  return chart.lines.map((line) => line.name).join("\n");
}

export function Plot({ chart, cursor, onSpan }: {
  chart: Chart;
  /** the bucket that is looked at */
  cursor: Signal<number | null>;
  onSpan: (from: number, to: number) => void;
}) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const newest = useRef(chart);
  const span = useRef(onSpan);
  newest.current = chart;
  span.current = onSpan;

  useEffect(() => {
    const place = box.current;
    if (!place) return undefined;
    const listener: Listener = {
      onCursor: (index) => (cursor.value = index),
      onSpan: (from, to) => span.current(from, to),
    };
    const size = () => ({ width: Math.max(200, place.clientWidth), height: Math.max(120, place.clientHeight) });
    // Reads what is newest: the chart's range is asked for again with each new data.
    const made = { ...newest.current, range: (low: number, high: number) => newest.current.range(low, high) };
    const options = optionsOf(made, size(), listener);
    const x: uPlot.Scale = { time: true, range: () => [newest.current.from, newest.current.to] };
    const current = new uPlot({ ...options, scales: { ...options.scales, x } }, dataOf(newest.current), place);
    plot.current = current;
    const observer = new ResizeObserver(() => current.setSize(size()));
    observer.observe(place);
    return () => {
      observer.disconnect();
      current.destroy();
      plot.current = null;
    };
  }, [shapeOf(chart), theme.value, systemTheme.value]);

  useEffect(() => plot.current?.setData(dataOf(chart)), [chart]);

  function pressed(event: KeyboardEvent) {
    if (plot.current && moveCursor(plot.current, event.key)) event.preventDefault();
  }
  return (
    <div
      ref={box}
      class="plot"
      tabIndex={0}
      role="img"
      aria-label={`${chart.title}. ${chart.summary} Arrow keys go from one point to the next.`}
      onKeyDown={pressed}
      onBlur={() => (cursor.value = null)}
    />
  );
}

// SPDX-License-Identifier: Apache-2.0
/* A chart as options and data of uPlot. Its legend and title are not used: the page has its own. */
import uPlot from "uplot";
import type { Share } from "./statistics";
import type { Values } from "./buckets";
import type { Chart, Line } from "./model";
import { type Style, colour, markerPath } from "./style";

const MARKER_RADIUS = 3;
const BAR_MOST = 48;
const DRAG_LEAST = 8; // pixels; less is a click

/** Of a stack each share stands on those before it; the last is drawn first, so that the others lie over it. */
export function drawn(chart: Chart): { line: Line; values: Values }[] {
  if (!chart.stacked) return chart.lines.map((line) => ({ line, values: line.values }));
  const shares = chart.lines.filter((line) => line.share);
  const heights = shares.map((_, upTo) =>
    chart.x.map((_at, index) => {
      const parts = shares.slice(0, upTo + 1).map((line) => line.values[index] ?? null);
      return parts.includes(null) ? null : parts.reduce<number>((sum, part) => sum + (part ?? 0), 0);
    }),
  );
  const stack = shares.map((line, index) => ({ line, values: heights[index] ?? [] })).reverse();
  return [...stack, ...chart.lines.filter((line) => !line.share).map((line) => ({ line, values: line.values }))];
}

export function dataOf(chart: Chart): uPlot.AlignedData {
  return [[...chart.x], ...drawn(chart).map(({ values }) => [...values])];
}

// --- patterns of the shares, as charts/bars.css has them ------------------------------------------------------------

function paintPattern(share: Share, context: CanvasRenderingContext2D, size: number): void {
  context.fillStyle = colour(`--share-${share}`);
  context.fillRect(0, 0, size, size);
  if (share === "host") {
    context.strokeStyle = colour("--share-host-line");
    context.lineWidth = size / 5;
    for (const shift of [-size, 0, size]) {
      context.moveTo(shift, size);
      context.lineTo(shift + size, 0);
    }
    context.stroke();
  } else if (share === "retry") {
    context.fillStyle = colour("--share-retry-line");
    context.fillRect(0, 0, size / 2, size / 2);
    context.fillRect(size / 2, size / 2, size / 2, size / 2);
  }
}

function patternOf(share: Share, plot: uPlot): CanvasPattern | string {
  const canvas = document.createElement("canvas");
  const size = Math.round(6 * devicePixelRatio);
  canvas.width = canvas.height = size;
  const context = canvas.getContext("2d");
  if (!context) return colour(`--share-${share}`);
  paintPattern(share, context, size);
  return plot.ctx.createPattern(canvas, "repeat") ?? colour(`--share-${share}`);
}

// --- series ----------------------------------------------------------------------------------------------------------

function drawMarkers(plot: uPlot, index: number, style: Style): void {
  const context = plot.ctx;
  const path = new Path2D();
  const values = plot.data[index] ?? [];
  values.forEach((value, at) => {
    if (value == null) return;
    const x = plot.valToPos(plot.data[0][at] ?? 0, "x", true);
    const y = plot.valToPos(value, "y", true);
    path.addPath(new Path2D(markerPath(style.marker, x, y, (style.open ? 1.6 : 1) * MARKER_RADIUS * devicePixelRatio)));
  });
  context.save();
  context.strokeStyle = context.fillStyle = colour(style.hue);
  context.lineWidth = (style.marker === "tick" ? 2.5 : 1.5) * devicePixelRatio;
  context.setLineDash([]);
  if (!style.open) context.fill(path);
  context.stroke(path);
  context.restore();
}

function lineSeries(line: Line): uPlot.Series {
  return {
    label: line.name,
    stroke: colour(line.style.hue),
    width: line.style.width,
    dash: [...line.style.dash],
    points: {
      show: (plot, index) => {
        drawMarkers(plot, index, line.style);
        return false;
      },
    },
  };
}

function shareSeries(line: Line, share: Share): uPlot.Series {
  const paths = uPlot.paths.bars?.({ size: [0.86, BAR_MOST] });
  return {
    label: line.name,
    stroke: colour("--surface"),
    width: 0.5,
    fill: (plot) => patternOf(share, plot) as string, // a pattern does as well, which the types do not know
    points: { show: false },
    ...(paths ? { paths } : {}),
  };
}

// --- axes ------------------------------------------------------------------------------------------------------------

const DAY_S = 86_400;

/** Times of day, and the date where it changes. */
export function timeTexts(ticks: readonly number[], stepS: number): string[] {
  let day = "";
  return ticks.map((tick) => {
    const time = new Date(tick * 1000);
    const date = time.toLocaleDateString(undefined, { day: "numeric", month: "short" });
    if (stepS >= DAY_S) return date;
    const clock = time.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit", hour12: false });
    const text = date === day ? clock : `${clock}\n${date}`;
    day = date;
    return text;
  });
}

function axes(chart: Chart): uPlot.Axis[] {
  const look = {
    stroke: colour("--ink-soft"),
    grid: { stroke: colour("--grid"), width: 1 },
    ticks: { stroke: colour("--edge"), width: 1, size: 4 },
    font: "12px system-ui, sans-serif",
  };
  return [
    { ...look, size: 40, space: 64, values: (_plot, ticks, _axis, _space, step) => timeTexts(ticks, step) },
    { ...look, size: 64, space: 34, values: (_plot, ticks) => ticks.map((tick) => axisText(chart, tick, ticks)) },
  ];
}

/** As few digits as tell the ticks apart. */
function axisText(chart: Chart, tick: number, ticks: readonly number[]): string {
  const [unit, factor] = chart.text(1).endsWith("%") ? ["%", 100] : ["s", 1];
  const step = Math.abs((ticks[1] ?? 1) - (ticks[0] ?? 0)) * factor;
  const digits = [0, 1, 2].find((count) => Math.abs(step * 10 ** count - Math.round(step * 10 ** count)) < 1e-6) ?? 3;
  return `${(tick * factor).toFixed(digits)} ${unit}`;
}

// --- all together ----------------------------------------------------------------------------------------------------

export interface Size {
  width: number;
  height: number;
}

export interface Listener {
  /** the bucket under the pointer; null: none */
  onCursor(index: number | null): void;
  /** a span that was dragged over, in seconds since 1970 */
  onSpan(from: number, to: number): void;
}

function dragged(plot: uPlot, listener: Listener): void {
  const { left, width } = plot.select;
  if (width < DRAG_LEAST) return;
  plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
  listener.onSpan(plot.posToVal(left, "x"), plot.posToVal(left + width, "x"));
}

export function optionsOf(chart: Chart, size: Size, listener: Listener): uPlot.Options {
  return {
    ...size,
    legend: { show: false },
    cursor: {
      sync: { key: "charts", filters: { pub: (type) => type === "mousemove" || type === "mouseleave" } },
      drag: { x: true, y: false, setScale: false },
      points: { show: false },
      y: false,
    },
    scales: {
      x: { time: true, range: [chart.from, chart.to] },
      y: { range: (_plot, low, high) => chart.range(low, high) },
    },
    axes: axes(chart),
    series: [{}, ...drawn(chart).map(({ line }) => (line.share ? shareSeries(line, line.share) : lineSeries(line)))],
    hooks: {
      setCursor: [(plot) => listener.onCursor(plot.cursor.idx ?? null)],
      setSelect: [(plot) => dragged(plot, listener)],
    },
  };
}

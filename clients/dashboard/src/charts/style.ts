// SPDX-License-Identifier: Apache-2.0
/* What tells one line from another: hue, dash and marker together, so that it does without colour. Hues are the
 * custom properties of charts.css, so they follow the theme. */

export interface Style {
  /** a custom property, "--line-0" */
  hue: string;
  dash: readonly number[];
  marker: Marker;
  width: number;
  /** its marker is an outline, so that another one inside it is seen */
  open?: boolean;
}

export const MARKERS = ["circle", "square", "triangle", "diamond", "cross", "tick"] as const;
export type Marker = (typeof MARKERS)[number];

const HUES = 6;
const LINE_MARKERS = 5; // a tick is for what has no line
const DASHES: readonly (readonly number[])[] = [[], [8, 4], [2, 3], [10, 3, 2, 3]];

export const ALL_STYLE: Style = { hue: "--ink", dash: [], marker: "circle", width: 2.5 };

/** Of the line that came as the n-th, from 0: the first six differ in hue, and any twenty in dash or marker. */
export function styleOf(slot: number): Style {
  return {
    hue: `--line-${slot % HUES}`,
    dash: DASHES[slot % DASHES.length] ?? [],
    marker: MARKERS[slot % LINE_MARKERS] ?? "circle",
    width: 1.75,
  };
}

/** The marker around a place, for the canvas and, as text, for the legend. */
export function markerPath(marker: Marker, x: number, y: number, radius: number): string {
  const r = radius;
  switch (marker) {
    case "circle":
      return `M${x - r} ${y}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0Z`;
    case "square":
      return `M${x - r} ${y - r}h${2 * r}v${2 * r}h${-2 * r}Z`;
    case "triangle":
      return `M${x} ${y - 1.2 * r}l${1.2 * r} ${2.1 * r}h${-2.4 * r}Z`;
    case "diamond":
      return `M${x} ${y - 1.3 * r}l${1.3 * r} ${1.3 * r}l${-1.3 * r} ${1.3 * r}l${-1.3 * r} ${-1.3 * r}Z`;
    case "tick":
      return `M${x - 3 * r} ${y}h${6 * r}`;
    case "cross":
      return `M${x - r} ${y - r}l${2 * r} ${2 * r}M${x + r} ${y - r}l${-2 * r} ${2 * r}`;
  }
}

export function colour(property: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(property).trim();
}

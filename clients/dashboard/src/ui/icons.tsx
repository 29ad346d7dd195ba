// SPDX-License-Identifier: Apache-2.0
/* Signs that say the same as the word beside them; their shapes differ, so that they do without colour. */
const shapes: Record<string, string> = {
  // outcomes
  pass: "M3 12.5 9 18.5 21 5.5",
  fail: "M5 5 19 19M19 5 5 19",
  aborted: "M12 3a9 9 0 1 0 0 18 9 9 0 1 0 0-18M6 18 18 6",
  unknown: "M8 8.5a4 4 0 1 1 5.5 3.7c-1 .5-1.5 1.1-1.5 2.3M12 18.5v.5",
  // states of a station
  starting: "M12 3.5a8.5 8.5 0 1 1-8.5 8.5",
  idle: "M12 5a7 7 0 1 0 0 14 7 7 0 1 0 0-14",
  waiting: "M4.5 12h.01M12 12h.01M19.5 12h.01",
  identifying: "M10.5 4a6.5 6.5 0 1 0 0 13 6.5 6.5 0 1 0 0-13M15.5 15.5 21 21",
  running: "M6 4 20 12 6 20Z",
  recording: "M4 4h12l4 4v12H4ZM8.5 20v-6h7v6",
  removal: "M12 4 20.5 14h-17ZM3.5 20h17",
  "port-lost": "M9 3v4M15 3v4M7 7h10v3a5 5 0 0 1-10 0ZM12 17v4M3 21 21 3",
  disabled: "M4 12h16",
  stopped: "M6 6h12v12H6Z",
  // states of a job
  held: "M8 4v16M16 4v16",
  draft: "M5 19 6 14 16 4 20 8 10 18Z",
  done: "M4 4h16v16H4ZM8 12l3 3 5-6",
  cancelled: "M4 4h16v16H4ZM9 9l6 6M15 9l-6 6",
  // the page
  warning: "M12 3 22 20H2ZM12 10v5M12 17.5v.5",
  info: "M12 3a9 9 0 1 0 0 18 9 9 0 1 0 0-18M12 11v5.5M12 7.5v.01",
  link: "M4 12a11 11 0 0 1 16 0M8 16a6 6 0 0 1 8 0M12 20v.01",
  "link-broken": "M4 12a11 11 0 0 1 16 0M8 16a6 6 0 0 1 8 0M12 20v.01M4 4 20 20",
  expand: "M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5",
  shrink: "M9 4v5H4M20 9h-5V4M15 20v-5h5M4 15h5v5",
  contrast: "M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 1 0 0-17M12 3.5v17M14 7v10M17 9v6",
};

export function Icon({ name }: { name: string }) {
  const shape = shapes[name];
  if (!shape) return null;
  return (
    <svg class={`icon icon-${name}`} viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={shape} />
    </svg>
  );
}

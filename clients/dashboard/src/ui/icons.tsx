// SPDX-License-Identifier: Apache-2.0
/* Signs that say the same as the word beside them; their shapes differ, so that they do without colour. */
const shapes: Record<string, string> = {
  pass: "M3 12.5 9 18.5 21 5.5",
  fail: "M5 5 19 19M19 5 5 19",
  aborted: "M12 3a9 9 0 1 0 0 18 9 9 0 1 0 0-18M6 18 18 6",
  unknown: "M8 8.5a4 4 0 1 1 5.5 3.7c-1 .5-1.5 1.1-1.5 2.3M12 18.5v.5",
  warning: "M12 3 22 20H2ZM12 10v5M12 17.5v.5",
  running: "M6 4 20 12 6 20Z",
  held: "M8 4v16M16 4v16",
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

// SPDX-License-Identifier: Apache-2.0
/* The last runs of a station, the newest at the right: a tick where it passed, a cross where it failed, a ring where it
 * was aborted, a triangle where nobody knows. One path for each of them, so that 256 strips are few elements. */
import { RECENT } from "../core/station";
import type { Mark } from "../core/farm";

const STEP = 10;
const HEIGHT = 12;

const shapes: Record<string, (left: number) => string> = {
  pass: (left) => `M${left + 5} 5v6`,
  fail: (left) => `M${left + 1.5} 1.5l7 9M${left + 8.5} 1.5l-7 9`,
  aborted: (left) => `M${left + 2} 2h6v8h-6Z`,
  unknown: (left) => `M${left + 5} 1.5 ${left + 8.5} 10.5h-7Z`,
};

function pathOf(marks: readonly Mark[], outcome: string): string {
  const first = RECENT - marks.length;
  const shape = shapes[outcome];
  return marks
    .map((mark, index) => (shape && mark.outcome === outcome ? shape((first + index) * STEP) : ""))
    .join("");
}

/** "20 runs: 18 pass, 1 verify, 1 no-contact" */
function words(marks: readonly Mark[]): string {
  const counts = new Map<string, number>();
  for (const { outcome, class: failure } of marks) {
    const word = outcome === "pass" ? outcome : failure || outcome;
    counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  const list = [...counts].map(([word, count]) => `${count} ${word}`).join(", ");
  return marks.length ? `last ${marks.length} runs: ${list}` : "no runs yet";
}

export function Strip({ marks }: { marks: readonly Mark[] }) {
  const label = words(marks);
  return (
    <svg
      class="ln-strip"
      viewBox={`0 0 ${RECENT * STEP} ${HEIGHT}`}
      preserveAspectRatio="none"
      role="img"
      aria-label={label}
    >
      <title>{label}</title>
      <path class="ln-strip-ground" d={`M0 ${HEIGHT - 0.5}H${RECENT * STEP}`} />
      {Object.keys(shapes).map((outcome) => {
        const path = pathOf(marks, outcome);
        return path ? <path key={outcome} class={`ln-strip-${outcome}`} d={path} /> : null;
      })}
    </svg>
  );
}

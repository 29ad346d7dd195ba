// SPDX-License-Identifier: Apache-2.0
/* Pieces that more than one page uses. */
import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import { type Problem, asProblem } from "../core/api";
import { Icon } from "./icons";

/** An outcome as word, sign and colour. */
export function OutcomeBadge({ outcome, failure }: { outcome: string | null; failure?: string | null }) {
  const word = outcome ?? "running";
  return (
    <span class={`badge outcome-${word}`}>
      <Icon name={word} /> {word === "fail" || word === "aborted" ? (failure ?? word) : word}
    </span>
  );
}

/** A refusal or failure, told to who is at the page. */
export function ProblemNote({ problem }: { problem: Problem | null }) {
  if (!problem) return null;
  return (
    <p class="note note-bad" role="alert">
      <Icon name="warning" /> <strong>{problem.title}</strong> {problem.detail}
    </p>
  );
}

export function Empty({ children }: { children: ComponentChildren }) {
  return <p class="empty">{children}</p>;
}

export function Panel({ title, children, actions }: {
  title: string;
  children: ComponentChildren;
  actions?: ComponentChildren;
}) {
  return (
    <section class="panel" aria-label={title}>
      <header class="panel-head">
        <h2>{title}</h2>
        {actions}
      </header>
      {children}
    </section>
  );
}

export type Loaded<T> = { value: T | null; problem: Problem | null; busy: boolean; again: () => void };

/** What `ask` answers; asked again when one of `keys` changes. The old answer stays until the new one is there. */
export function useAnswer<T>(ask: () => Promise<T>, keys: readonly unknown[]): Loaded<T> {
  const [value, setValue] = useState<T | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [busy, setBusy] = useState(true);
  const [round, setRound] = useState(0);

  useEffect(() => {
    let current = true;
    setBusy(true);
    ask()
      .then((got) => {
        if (!current) return;
        setValue(() => got);
        setProblem(null);
      })
      .catch((thrown: unknown) => {
        if (current) setProblem(asProblem(thrown));
      })
      .finally(() => {
        if (current) setBusy(false);
      });
    return () => {
      current = false;
    };
  }, [...keys, round]);
  return { value, problem, busy, again: () => setRound((count) => count + 1) };
}

// SPDX-License-Identifier: Apache-2.0
/* What the engineer's pages share. */
import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";
import { type Chip, type Finding, Problem, answer, asProblem, client } from "../core/api";
import { Icon } from "../ui/icons";
import { useAnswer } from "../ui/parts";

// --- asking and doing --------------------------------------------------------------------------------------------

export interface Action {
  busy: boolean;
  problem: Problem | null;
  /** does it; whether it was done. What was refused is in `problem` until the next time. */
  run(work: () => Promise<unknown>): Promise<boolean>;
  clear(): void;
}

export function useAction(): Action {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);

  async function run(work: () => Promise<unknown>): Promise<boolean> {
    setBusy(true);
    setProblem(null);
    try {
      await work();
      return true;
    } catch (thrown) {
      setProblem(asProblem(thrown));
      return false;
    } finally {
      setBusy(false);
    }
  }

  return { busy, problem, run, clear: () => setProblem(null) };
}

interface Page<T> {
  items: T[];
  next: string | number | null;
}

export interface Pages<T> {
  items: T[] | null;
  problem: Problem | null;
  busy: boolean;
  number: number;
  newer: (() => void) | null;
  older: (() => void) | null;
  again(): void;
}

/** A paged list: back to its first page when `keys` change, asked for again where it is when `fresh` does. */
export function usePages<T>(
  ask: (cursor: string | undefined) => Promise<Page<T>>,
  keys: readonly unknown[],
  fresh: unknown = 0,
): Pages<T> {
  const key = JSON.stringify(keys);
  const [place, setPlace] = useState<{ key: string; cursors: string[] }>({ key, cursors: [] });
  const cursors = place.key === key ? place.cursors : [];
  const loaded = useAnswer(() => ask(cursors.at(-1)), [key, cursors.join(" "), fresh]);
  const next = loaded.value?.next;
  return {
    items: loaded.value?.items ?? null,
    problem: loaded.problem,
    busy: loaded.busy,
    number: cursors.length + 1,
    newer: cursors.length ? () => setPlace({ key, cursors: cursors.slice(0, -1) }) : null,
    older: next != null ? () => setPlace({ key, cursors: [...cursors, String(next)] }) : null,
    again: loaded.again,
  };
}

export function Pager({ pages, what }: { pages: Pages<unknown>; what: string }) {
  if (!pages.newer && !pages.older) return null;
  return (
    <nav class="pager" aria-label={`Pages of ${what}`}>
      <button type="button" disabled={!pages.newer || pages.busy} onClick={() => pages.newer?.()}>
        Newer
      </button>
      <span>page {pages.number}</span>
      <button type="button" disabled={!pages.older || pages.busy} onClick={() => pages.older?.()}>
        Older
      </button>
    </nav>
  );
}

let catalogue: Promise<Chip[]> | null = null; // it is the daemon's, and the same as long as that runs

function askChips(): Promise<Chip[]> {
  catalogue ??= answer(client.GET("/v1/chips")).then(
    (list) => list.items,
    (thrown: unknown) => {
      catalogue = null;
      throw thrown;
    },
  );
  return catalogue;
}

export function useChips(): { chips: Chip[]; problem: Problem | null } {
  const loaded = useAnswer(askChips, []);
  return { chips: loaded.value ?? [], problem: loaded.problem };
}

/** The options of a list of chips, by family. */
export function ChipOptions({ chips }: { chips: Chip[] }) {
  const families = [...new Set(chips.map((chip) => chip.family))];
  return (
    <>
      {families.map((family) => (
        <optgroup key={family} label={family}>
          {chips
            .filter((chip) => chip.family === family)
            .map((chip) => (
              <option key={chip.name} value={chip.name}>
                {chip.name}
              </option>
            ))}
        </optgroup>
      ))}
    </>
  );
}

/** The day of a time of the record. */
export function day(utc: string): string {
  return new Date(utc).toLocaleDateString();
}

// --- showing -----------------------------------------------------------------------------------------------------

/* Where the sign has another name than the state. */
const stateIcons: Record<string, string> = { released: "pass", retired: "cancelled", closed: "cancelled" };

/** A state as word and sign; coloured only where somebody has to do something. */
export function StateBadge({ state }: { state: string }) {
  return (
    <span class={`badge state-${state}`}>
      <Icon name={stateIcons[state] ?? state} /> {state}
    </span>
  );
}

function FindingLine({ finding }: { finding: Finding }) {
  const bad = finding.severity === "error";
  return (
    <li class={bad ? "finding finding-error" : "finding finding-warning"}>
      <span class="badge">
        <Icon name={bad ? "fail" : "warning"} /> {finding.severity}
      </span>
      <div>
        <strong>{finding.class}</strong> <span class="mono place">{finding.place}</span>
        <br />
        {finding.message}
        <br />
        <span class="remedy">Remedy: {finding.remedy}</span>
      </div>
    </li>
  );
}

export function Findings({ findings, of }: { findings: Finding[]; of: string }) {
  if (!findings.length)
    return (
      <p class="clean">
        <Icon name="pass" /> The lint has nothing to say against {of}.
      </p>
    );
  const errors = findings.filter((finding) => finding.severity === "error");
  const warnings = findings.filter((finding) => finding.severity !== "error");
  return (
    <ul class="findings" aria-label={`Findings of the lint: ${errors.length} errors, ${warnings.length} warnings`}>
      {[...errors, ...warnings].map((finding, index) => (
        <FindingLine key={index} finding={finding} />
      ))}
    </ul>
  );
}

interface DialogProps {
  title: string;
  confirm: string;
  /** what leaves everything as it is */
  back?: string;
  busy?: boolean;
  problem?: Problem | null;
  children: ComponentChildren;
  onConfirm(): void;
  onClose(): void;
}

/** Asks before something is done that cannot be undone. Escape, and what is in focus first, leave all as it is. */
export function Dialog({
  title,
  confirm,
  back = "Leave it",
  busy,
  problem,
  children,
  onConfirm,
  onClose,
}: DialogProps) {
  const box = useRef<HTMLDialogElement>(null);
  const id = useId();

  useEffect(() => {
    const before = document.activeElement;
    box.current?.showModal();
    return () => {
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
  return (
    <dialog ref={box} aria-labelledby={id} onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          onConfirm();
        }}
      >
        <h2 id={id}>{title}</h2>
        {children}
        {problem ? (
          <p class="note note-bad" role="alert">
            <Icon name="warning" /> <strong>{problem.title}</strong> {problem.detail}
          </p>
        ) : null}
        <div class="buttons">
          <button type="button" onClick={onClose}>
            {back}
          </button>
          <button type="submit" class="primary" disabled={busy}>
            {confirm}
          </button>
        </div>
      </form>
    </dialog>
  );
}

/** A text to take away. Without the clipboard (a page that is not from here, nor by TLS) it is selected instead. */
export function CopyText({ text, label }: { text: string; label: string }) {
  const box = useRef<HTMLTextAreaElement>(null);
  const [said, setSaid] = useState("");

  async function copy() {
    try {
      await navigator.clipboard.writeText(text);
      setSaid("copied");
    } catch {
      box.current?.focus();
      box.current?.select();
      setSaid("selected: Ctrl+C copies it");
    }
  }

  return (
    <div class="copy">
      <textarea
        ref={box}
        class="mono"
        readOnly
        rows={text.trimEnd().split("\n").length}
        value={text}
        aria-label={label}
      />
      <button type="button" onClick={() => void copy()} aria-label={`Copy ${label}`}>
        Copy
      </button>
      <span role="status">{said}</span>
    </div>
  );
}

// SPDX-License-Identifier: Apache-2.0
/* Runs that fit, newest first, a page at a time. */
import { useEffect, useState } from "preact/hooks";
import type { Outcome, RunBrief } from "../core/api";
import { dateTime, duration } from "../core/format";
import { OutcomeBadge, Panel, ProblemNote, useAnswer } from "../ui/parts";
import { TraceLink } from "./links";
import { runMs } from "./run";
import { type RunPage, runsThat } from "./runs";
import { csvAddress, fileName } from "./save";

const PAGE = 50;
const OUTCOMES: readonly Outcome[] = ["pass", "fail", "aborted", "unknown"];

/** What the runs are of; members as the interface has them. */
export interface RunFilter {
  job?: number;
  work_order?: string;
  image?: string;
}

function pageOf(filter: RunFilter, outcome: Outcome | "", cursor: string | undefined): Promise<RunPage> {
  return runsThat({
    ...filter,
    limit: PAGE,
    ...(outcome ? { outcome } : {}),
    ...(cursor === undefined ? {} : { cursor }),
  });
}

function RunRow({ run, ordered }: { run: RunBrief; ordered: boolean }) {
  const ms = runMs(run);
  return (
    <tr>
      <th scope="row">
        <TraceLink subject="run" id={run.id} />
      </th>
      <td class="when">{dateTime(run.started)}</td>
      <td>{run.station}</td>
      <td>
        <OutcomeBadge outcome={run.outcome} failure={run.class} />
      </td>
      <td class="mono">{run.serial ? <TraceLink subject="serial" id={run.serial} /> : "–"}</td>
      <td class="mono uid">{run.uid ? <TraceLink subject="serial" id={run.uid} /> : "–"}</td>
      {ordered && (
        <td class="order">{run.work_order ? <TraceLink subject="work_order" id={run.work_order} /> : "–"}</td>
      )}
      <td class="figure">{ms === null ? "–" : duration(ms)}</td>
      <td>{run.by ?? "–"}</td>
      <td class="sentence">{run.message}</td>
    </tr>
  );
}

/** `ordered`: with the work order, where it is not the same for all. */
export function RunRows({ runs, caption, ordered = true }: {
  runs: readonly RunBrief[];
  caption: string;
  ordered?: boolean;
}) {
  return (
    <div class="wide">
      <table class="runs">
        <caption class="hidden">{caption}</caption>
        <thead>
          <tr>
            <th scope="col">Run</th>
            <th scope="col">Started</th>
            <th scope="col">Station</th>
            <th scope="col">Outcome</th>
            <th scope="col">Serial</th>
            <th scope="col">Chip UID</th>
            {ordered && <th scope="col">Work order</th>}
            <th scope="col" class="figure">Time</th>
            <th scope="col">Ordered by</th>
            <th scope="col">What was said</th>
          </tr>
        </thead>
        <tbody>
          {runs.map((run) => (
            <RunRow key={run.id} run={run} ordered={ordered} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Pages({ number, more, onTurn }: { number: number; more: boolean; onTurn: (by: number) => void }) {
  if (number === 1 && !more) return null;
  return (
    <nav class="pages" aria-label="Pages of the list">
      <button type="button" disabled={number === 1} onClick={() => onTurn(-1)}>
        Newer
      </button>
      <span role="status">Page {number}</span>
      <button type="button" disabled={!more} onClick={() => onTurn(1)}>
        Older
      </button>
    </nav>
  );
}

export function RunList({ filter, name }: { filter: RunFilter; name: string }) {
  const [outcome, setOutcome] = useState<Outcome | "">("");
  const [cursors, setCursors] = useState<(string | undefined)[]>([undefined]);
  const keys = JSON.stringify(filter);
  useEffect(() => setCursors([undefined]), [keys, outcome]);
  const page = useAnswer(() => pageOf(filter, outcome, cursors.at(-1)), [keys, outcome, cursors]);
  const next = page.value?.next ?? null;

  function turn(by: number) {
    if (by < 0) setCursors(cursors.slice(0, -1));
    else if (next !== null) setCursors([...cursors, String(next)]);
  }
  const query = Object.entries({ ...filter, outcome }).filter(([, value]) => value !== "");
  const csv = csvAddress(Object.fromEntries(query.map(([key, value]) => [key, String(value)])));
  return (
    <Panel
      title="Runs, newest first"
      actions={
        <span class="actions">
          <label>
            Outcome{" "}
            <select value={outcome} onChange={(event) => setOutcome(event.currentTarget.value as Outcome | "")}>
              <option value="">any</option>
              {OUTCOMES.map((word) => (
                <option key={word}>{word}</option>
              ))}
            </select>
          </label>
          <a class="button" href={csv} download={fileName(name, ".csv")}>
            All as CSV
          </a>
        </span>
      }
    >
      <ProblemNote problem={page.problem} />
      {page.value && !page.value.items.length && (
        <p class="empty">{outcome ? `No run with outcome ${outcome}.` : "No run yet."}</p>
      )}
      {page.value && page.value.items.length > 0 && (
        <RunRows
          runs={page.value.items}
          caption={`Runs of ${name}, newest first`}
          ordered={filter.work_order === undefined}
        />
      )}
      <Pages number={cursors.length} more={next !== null} onTurn={turn} />
    </Panel>
  );
}

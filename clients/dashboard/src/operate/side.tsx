// SPDX-License-Identifier: Apache-2.0
/* Beside the fixture: which boards failed and what to do with each, or the orders to choose from. */
import { jobs } from "../core/farm";
import { Icon } from "../ui/icons";
import { isOpen, jobName, shown } from "./order";
import { lastReply } from "./replies";
import { takeScan } from "./scans";
import { type Failed, failed } from "./situation";

const LISTED_MAX = 3;

export function Orders() {
  const open = jobs.value;
  if (isOpen(shown.value) || open.length < 2) return null;
  return (
    <section class="op-orders" aria-label="Orders to choose from">
      <ol>
        {open.map((job, index) => (
          <li key={job.id}>
            <button type="button" onClick={() => takeScan(String(index + 1))}>
              <kbd>{index + 1}</kbd>
              <strong>{jobName(job)}</strong>
              <span>{job.recipe ? `${job.recipe.name}/${job.recipe.version}` : job.chip}</span>
              <span>
                {job.state === "held" ? "held, " : ""}
                {job.remaining ?? 0} of {job.quantity ?? "–"} to go at {job.stations.length}{" "}
                {job.stations.length === 1 ? "position" : "positions"}
              </span>
            </button>
          </li>
        ))}
      </ol>
    </section>
  );
}

/** Each by itself while there is room; else those that failed alike together. */
function grouped(boards: readonly Failed[]): Failed[][] {
  if (boards.length <= LISTED_MAX) return boards.map((board) => [board]);
  const groups = new Map<string, Failed[]>();
  for (const board of boards) {
    const word = wordOf(board);
    groups.set(word, [...(groups.get(word) ?? []), board]);
  }
  return [...groups.values()];
}

function wordOf({ result }: Failed): string {
  return result.outcome === "unknown" ? "unknown" : result.failure;
}

function FailedItem({ boards }: { boards: readonly Failed[] }) {
  const [board] = boards;
  if (!board) return null;
  const what = boards.length === 1 ? board.result.serial || board.result.code : "";
  return (
    <li>
      <span class="op-failed-head">
        <Icon name={board.result.outcome === "unknown" ? "unknown" : "fail"} />
        <strong>{boards.map((one) => one.name).join(", ")}</strong> {wordOf(board)}
      </span>
      <span>{board.means}</span>
      <strong>{board.todo}</strong>
      {boards.length === 1 && board.remedy === "engineer" && (
        <span class="op-soft op-said">{board.result.message}</span>
      )}
      {what && <span class="op-soft mono">{what}</span>}
    </li>
  );
}

export function FailedBoards() {
  const boards = failed.value;
  return (
    <section class="op-failed" aria-label="Boards that failed">
      <h2>{boards.length === 0 ? "No board failed" : `Failed: ${boards.length}`}</h2>
      <ol>
        {grouped(boards).map((group) => (
          <FailedItem key={group[0]?.name} boards={group} />
        ))}
      </ol>
    </section>
  );
}

export function LastScan() {
  const reply = lastReply.value;
  if (!reply) return <p class="op-last op-soft">Nothing was scanned yet.</p>;
  return (
    <p class={`op-last op-last-${reply.tone}`}>
      <span class="op-soft">
        Last scan {reply.at.toLocaleTimeString(undefined, { hour12: false })}:{" "}
      </span>
      {!reply.text.startsWith(reply.scanned) && <strong class="mono">{reply.scanned} </strong>}
      <span>{reply.text}</span>
    </p>
  );
}

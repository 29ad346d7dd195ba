// SPDX-License-Identifier: Apache-2.0
/* What happened while the daemon could not be heard. */
import type { Fact } from "../core/facts";
import { missed } from "../core/farm";
import { clockTime } from "../core/format";
import { Disclosure } from "./disclosure";
import { Icon } from "./icons";

const words = ["station", "name", "outcome", "class", "state", "serial", "id", "job", "reason", "message"];

/** The members of a fact that tell people something. */
function told(fact: Fact): string {
  const body = fact.body as Record<string, unknown>;
  return words
    .filter((word) => body[word] !== null && body[word] !== undefined && body[word] !== "")
    .map((word) => `${word} ${String(body[word])}`)
    .join(", ");
}

function FactLine({ fact }: { fact: Fact }) {
  return (
    <tr>
      <td>{fact.sequence}</td>
      <th scope="row">{fact.kind}</th>
      <td>{told(fact)}</td>
    </tr>
  );
}

/** "12 passed, 1 failed, 3 other facts" */
function summary(counts: ReadonlyMap<string, number>, total: number): string {
  const passed = counts.get("run.ended pass") ?? 0;
  const ended = [...counts].reduce((sum, [word, count]) => sum + (word.startsWith("run.ended") ? count : 0), 0);
  const jobs = (counts.get("job.state") ?? 0) + (counts.get("job.submitted") ?? 0);
  const begun = counts.get("run.started") ?? 0;
  const others = total - ended - jobs - begun;
  const parts: [number, string][] = [
    [passed, "passed"],
    [ended - passed, "did not pass"],
    [begun, "began"],
    [jobs, "of jobs"],
    [others, "others"],
  ];
  return parts.flatMap(([count, word]) => (count ? [`${count} ${word}`] : [])).join(", ");
}

export function Missed() {
  const gap = missed.value;
  if (!gap) return null;
  const [since, until] = [gap.since, gap.until].map((ms) => clockTime(new Date(ms).toISOString()));
  return (
    <div class="missed">
      <Icon name="warning" />
      <span role="status">
        Not connected from {since} to {until}. {gap.total === 1 ? "1 fact" : `${gap.total} facts`} came meanwhile:{" "}
        {summary(gap.counts, gap.total)}.
      </span>
      <Disclosure label="Show them">
        <div class="missed-list">
          <table>
            <thead>
              <tr>
                <th scope="col">Fact</th>
                <th scope="col">Kind</th>
                <th scope="col">What</th>
              </tr>
            </thead>
            <tbody>
              {gap.facts.map((fact) => (
                <FactLine key={fact.sequence} fact={fact} />
              ))}
            </tbody>
          </table>
          {gap.total > gap.facts.length ? <p>and {gap.total - gap.facts.length} more, in the ledger.</p> : null}
        </div>
      </Disclosure>
      <span class="grow" />
      <button type="button" onClick={() => (missed.value = null)}>
        Seen
      </button>
    </div>
  );
}

// SPDX-License-Identifier: Apache-2.0
/* What came of a work order or a job. */
import type { ComponentChildren } from "preact";
import { useNews } from "../charts/news";
import { type Asked, type Statistics, statistics } from "../charts/statistics";
import { Definitions, Totals } from "../charts/totals";
import { type Job, answer, client } from "../core/api";
import { dateTime } from "../core/format";
import { to } from "../core/router";
import { Panel, ProblemNote, useAnswer } from "../ui/parts";
import { ImageLink, RecipeText, TraceLink } from "./links";
import { Fact } from "./run";
import { RunList } from "./runs_table";

const AGAIN_MS = 3000; // asked for again at most so often while jobs are at work

function useStatistics(asked: Asked) {
  return useAnswer(() => statistics(asked), [JSON.stringify(asked), useNews(AGAIN_MS)]);
}

function Failures({ pareto }: { pareto: Statistics["pareto"] }) {
  const classes = new Map<string, number>();
  for (const item of pareto) classes.set(item.class, (classes.get(item.class) ?? 0) + item.count);
  if (!classes.size) return null;
  const sorted = [...classes].sort((a, b) => b[1] - a[1]);
  return (
    <p class="failures">
      Runs that did not pass: {sorted.map(([name, count]) => `${name} ${count}`).join(", ")}.
    </p>
  );
}

function TotalsPanel({ asked, link, children }: {
  asked: Asked;
  link: Record<string, string>;
  children?: ComponentChildren;
}) {
  const { value, problem } = useStatistics(asked);
  return (
    <Panel title="What came of it" actions={<a href={to("charts", link)}>Over time</a>}>
      <ProblemNote problem={problem} />
      {children}
      {value && (
        <>
          <Totals tally={value.totals} bar />
          <Failures pareto={value.pareto} />
          <Definitions definitions={value.definitions} />
        </>
      )}
    </Panel>
  );
}

function JobRow({ job }: { job: Job }) {
  return (
    <tr>
      <th scope="row">
        <TraceLink subject="job" id={job.id} />
      </th>
      <td class="when">{dateTime(job.submitted)}</td>
      <td>{job.state}</td>
      <td>
        <RecipeText recipe={job.recipe} />
      </td>
      <td>{job.chip}</td>
      <td class="figure">{job.quantity ?? "no end"}</td>
      <td class="figure">{job.counts.passed}</td>
      <td class="figure">{job.counts.failed + job.counts.aborted + job.counts.unknown}</td>
      <td>{job.by ?? "–"}</td>
      <td class="sentence">{job.reason}</td>
    </tr>
  );
}

const JOBS = 100;

function JobsOf({ name }: { name: string }) {
  const query = { work_order: name, limit: JOBS };
  const { value, problem } = useAnswer(
    () => answer(client.GET("/v1/jobs", { params: { query } })),
    [name, useNews(AGAIN_MS)],
  );
  return (
    <Panel title="Jobs, newest first">
      <ProblemNote problem={problem} />
      {value && (
        <div class="wide">
          <table>
            <thead>
              <tr>
                <th scope="col">Job</th>
                <th scope="col">Submitted</th>
                <th scope="col">State</th>
                <th scope="col">Recipe</th>
                <th scope="col">Chip</th>
                <th scope="col" class="figure">Quantity</th>
                <th scope="col" class="figure">Passed</th>
                <th scope="col" class="figure">Not passed</th>
                <th scope="col">By</th>
                <th scope="col">Reason</th>
              </tr>
            </thead>
            <tbody>
              {value.items.map((job) => (
                <JobRow key={job.id} job={job} />
              ))}
            </tbody>
          </table>
        </div>
      )}
      {value?.next != null && <p class="empty">The newest {JOBS} jobs of this work order.</p>}
    </Panel>
  );
}

export function WorkOrderView({ name }: { name: string }) {
  return (
    <>
      <h2 class="title">Work order {name}</h2>
      <TotalsPanel asked={{ work_order: name }} link={{ work_order: name, span: "all" }} />
      <JobsOf name={name} />
      <RunList filter={{ work_order: name }} name={name} />
    </>
  );
}

function JobFacts({ job }: { job: Job }) {
  return (
    <dl class="facts">
      <Fact name="State">
        {job.state}
        {job.reason && `: ${job.reason}`}
      </Fact>
      {job.work_order && (
        <Fact name="Work order">
          <TraceLink subject="work_order" id={job.work_order} />
        </Fact>
      )}
      <Fact name="Recipe">
        <RecipeText recipe={job.recipe} />
      </Fact>
      <Fact name="Chip">{job.chip}</Fact>
      <Fact name="Images">
        {job.images.map((id) => (
          <span key={id} class="number">
            <ImageLink id={id} />
          </span>
        ))}
      </Fact>
      <Fact name="Quantity">{job.quantity ?? "no end"}</Fact>
      <Fact name="Begins">{job.trigger}</Fact>
      {job.serial_pool && <Fact name="Serial pool">{job.serial_pool}</Fact>}
      <Fact name="Submitted">
        {dateTime(job.submitted)} by {job.by ?? "–"}
      </Fact>
      <Fact name="Stations">{job.stations.join(", ")}</Fact>
    </dl>
  );
}

export function JobView({ id }: { id: number }) {
  const { value: job, problem } = useAnswer(
    () => answer(client.GET("/v1/jobs/{id}", { params: { path: { id } } })),
    [id, useNews(AGAIN_MS)],
  );
  if (!job) return <ProblemNote problem={problem} />;
  return (
    <>
      <h2 class="title">Job {id}</h2>
      <ProblemNote problem={problem} />
      <TotalsPanel asked={{ job: id }} link={{ job: String(id), span: "all" }}>
        <JobFacts job={job} />
      </TotalsPanel>
      <RunList filter={{ job: id }} name={`job ${id}`} />
    </>
  );
}

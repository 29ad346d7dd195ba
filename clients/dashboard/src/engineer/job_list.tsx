// SPDX-License-Identifier: Apache-2.0
/* Jobs that are worked on, and those that have ended. */
import { useState } from "preact/hooks";
import { type Job, answer, client } from "../core/api";
import { jobs, revision } from "../core/farm";
import { clockTime, short } from "../core/format";
import { to } from "../core/router";
import { Empty, Panel, ProblemNote } from "../ui/parts";
import { Select, TextBox } from "./controls";
import { JobButtons } from "./job_actions";
import { Pager, StateBadge, day, usePages } from "./parts";

const PAGE = 25;
type Past = "done" | "cancelled";

export function whatOf(job: Job): string {
  return job.recipe ? `${job.recipe.name}/${job.recipe.version}` : `${job.chip}, image ${short(job.images[0] ?? "")}`;
}

/** Where the record tells of it: its work order, else its image. */
function traceOf(job: Job): string {
  return to("trace", { q: job.work_order || (job.images[0] ?? "") });
}

export function JobProgress({ job }: { job: Job }) {
  const { passed, failed, aborted, unknown } = job.counts;
  const whole = Math.max(job.quantity ?? 0, passed, 1);
  const bad = failed + aborted + unknown;
  const words = `${passed} of ${job.quantity ?? "?"} passed${bad ? `, ${bad} ${bad === 1 ? "run" : "runs"} did not` : ""}`;
  return (
    <div class="job-progress">
      <div class="job-bar" aria-hidden="true">
        <span style={{ transform: `scaleX(${passed / whole})` }} />
      </div>
      <small>
        {words}
        {job.in_flight ? `, ${job.in_flight} in flight` : ""}
      </small>
    </div>
  );
}

function JobRow({ job, chosen }: { job: Job; chosen: boolean }) {
  return (
    <tr class={chosen ? "chosen" : undefined}>
      <th scope="row" class="no-break">
        <a href={to("engineer/jobs", { id: String(job.id) })} aria-current={chosen ? "true" : undefined}>
          Job {job.id}
        </a>
      </th>
      <td title={job.reason ?? undefined}>
        <StateBadge state={job.state} />
      </td>
      <td class="cut">{job.work_order || "–"}</td>
      <td class="cut">{whatOf(job)}</td>
      <td>
        <JobProgress job={job} />
      </td>
      <td class="no-break">
        {clockTime(job.submitted)}
        <small>
          {day(job.submitted)}, {job.by ?? "–"}
        </small>
      </td>
      <td class="row-buttons">
        <a href={traceOf(job)}>Trace</a>
        <JobButtons job={job} />
      </td>
    </tr>
  );
}

function JobTable({ list, chosen }: { list: Job[]; chosen: number }) {
  return (
    <table class="jobs">
      <thead>
        <tr>
          <th scope="col">Job</th>
          <th scope="col">State</th>
          <th scope="col">Work order</th>
          <th scope="col">What</th>
          <th scope="col">Boards</th>
          <th scope="col">Ordered</th>
          <th scope="col">
            <span class="hidden">What can be done</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {list.map((job) => (
          <JobRow key={job.id} job={job} chosen={job.id === chosen} />
        ))}
      </tbody>
    </table>
  );
}

export function OpenJobs({ chosen }: { chosen: number }) {
  return (
    <Panel title="Jobs under way">
      {jobs.value.length ? <JobTable list={jobs.value} chosen={chosen} /> : <Empty>None.</Empty>}
    </Panel>
  );
}

export function PastJobs({ chosen }: { chosen: number }) {
  const [state, setState] = useState<Past>("done");
  const [workOrder, setWorkOrder] = useState("");
  const pages = usePages(
    (cursor) => {
      const query = {
        state,
        limit: PAGE,
        ...(workOrder.trim() && { work_order: workOrder.trim() }),
        ...(cursor && { cursor }),
      };
      return answer(client.GET("/v1/jobs", { params: { query } }));
    },
    [state, workOrder.trim()],
    jobs.value.length ? revision.value : jobs.value,
  );
  return (
    <Panel title="Jobs that have ended" actions={<Pager pages={pages} what="jobs" />}>
      <div class="filters">
        <Select label="State" value={state} onValue={(text) => setState(text as Past)}>
          <option value="done">done</option>
          <option value="cancelled">cancelled</option>
        </Select>
        <TextBox label="Work order" type="search" hint="the whole number" value={workOrder} onValue={setWorkOrder} />
      </div>
      <ProblemNote problem={pages.problem} />
      {pages.items?.length === 0 ? <Empty>None.</Empty> : null}
      {pages.items?.length ? <JobTable list={pages.items} chosen={chosen} /> : null}
    </Panel>
  );
}

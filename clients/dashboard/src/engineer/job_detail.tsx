// SPDX-License-Identifier: Apache-2.0
import { type Job, type Run, type RunBrief, answer, client } from "../core/api";
import { revision } from "../core/farm";
import { clockTime, dateTime, short } from "../core/format";
import { to } from "../core/router";
import { Empty, OutcomeBadge, Panel, ProblemNote, useAnswer } from "../ui/parts";
import { JobButtons } from "./job_actions";
import { JobProgress, whatOf } from "./job_list";
import { Pager, StateBadge, usePages } from "./parts";

const PAGE = 20;

function RunRow({ run }: { run: Run | RunBrief }) {
  return (
    <tr>
      <th scope="row">{run.id}</th>
      <td>{run.station}</td>
      <td>
        <OutcomeBadge outcome={run.outcome} failure={run.class} />
      </td>
      <td class="mono">{run.serial ? <a href={to("trace", { q: run.serial })}>{run.serial}</a> : "–"}</td>
      <td class="mono">{run.uid ? <a href={to("trace", { q: run.uid })}>{run.uid}</a> : "–"}</td>
      <td class="no-break">{clockTime(run.started)}</td>
      <td>{run.message ?? ""}</td>
    </tr>
  );
}

function Runs({ id }: { id: number }) {
  const pages = usePages<Run | RunBrief>(
    async (cursor) => {
      const query = { limit: PAGE, ...(cursor && { cursor }) };
      const said = await answer(client.GET("/v1/jobs/{id}/runs", { params: { path: { id }, query } }));
      return said as { items: (Run | RunBrief)[]; next: string | number | null };
    },
    [id],
    revision.value,
  );
  if (!pages.items?.length) return <Empty>No board has been tried yet.</Empty>;
  return (
    <>
      <table>
        <caption>Its runs, newest first</caption>
        <thead>
          <tr>
            <th scope="col">Run</th>
            <th scope="col">Station</th>
            <th scope="col">Outcome</th>
            <th scope="col">Serial</th>
            <th scope="col">UID</th>
            <th scope="col">Began</th>
            <th scope="col">Why</th>
          </tr>
        </thead>
        <tbody>
          {pages.items.map((run) => (
            <RunRow key={run.id} run={run} />
          ))}
        </tbody>
      </table>
      <ProblemNote problem={pages.problem} />
      <Pager pages={pages} what="runs" />
    </>
  );
}

function stationsOf(job: Job): string {
  return job.stations.length > 8
    ? `${job.stations.slice(0, 8).join(", ")} and ${job.stations.length - 8} more`
    : job.stations.join(", ");
}

function Facts({ job }: { job: Job }) {
  const options = Object.keys(job.options ?? {}).length ? JSON.stringify(job.options, null, 1) : "";
  return (
    <dl class="about">
      <dt>What</dt>
      <dd>
        {whatOf(job)} for {job.chip}
      </dd>
      <dt>Images</dt>
      <dd class="mono">
        {job.images.map((image) => (
          <a key={image} href={to("engineer/images", { id: image })}>
            {short(image)}{" "}
          </a>
        ))}
      </dd>
      <dt>Stations</dt>
      <dd title={job.stations.join(", ")}>{stationsOf(job)}</dd>
      <dt>Trigger</dt>
      <dd>{job.trigger}</dd>
      <dt>Serial pool</dt>
      <dd>{job.serial_pool ?? "none"}</dd>
      <dt>Holds after</dt>
      <dd>{job.hold_after_failures ? `${job.hold_after_failures} failures` : "–"}</dd>
      <dt>Ordered</dt>
      <dd>
        {dateTime(job.submitted)} by {job.by ?? "–"}
      </dd>
      {options ? (
        <>
          <dt>Other members</dt>
          <dd>
            <details>
              <summary>{Object.keys(job.options).join(", ")}</summary>
              <pre class="wrap clipped">{options}</pre>
            </details>
          </dd>
        </>
      ) : null}
    </dl>
  );
}

export function JobDetail({ id }: { id: number }) {
  const loaded = useAnswer(
    () => answer(client.GET("/v1/jobs/{id}", { params: { path: { id } } })),
    [id, revision.value],
  );
  const job = loaded.value;
  if (!job || job.id !== id) return <ProblemNote problem={loaded.problem} />;
  return (
    <Panel
      title={`Job ${job.id}${job.work_order ? `, ${job.work_order}` : ""}`}
      actions={<StateBadge state={job.state} />}
    >
      {job.reason ? <p class="note">{job.reason}</p> : null}
      <JobProgress job={job} />
      <div class="buttons">
        <JobButtons job={job} />
        <a href={to("engineer/jobs")}>Close</a>
      </div>
      <Facts job={job} />
      <Runs id={id} />
    </Panel>
  );
}

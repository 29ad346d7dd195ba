// SPDX-License-Identifier: Apache-2.0
/* One run: what is said of it in a line, all that the record has of it, and its page. */
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { Problem, type Run, answer, asProblem, client, problemOf } from "../core/api";
import { dateTime, duration, hex } from "../core/format";
import { revision } from "../core/farm";
import { OutcomeBadge, Panel, ProblemNote, useAnswer } from "../ui/parts";
import { ImageLink, RecipeText, TraceLink } from "./links";
import { PhaseTable, ofFloorText } from "./phases";
import { csvAddress, fileName, saveText } from "./save";
import { countOf } from "./search";

/** Between start and end; null while it is under way. */
export function runMs(run: { started: string; ended: string | null }): number | null {
  return run.ended === null ? null : Date.parse(run.ended) - Date.parse(run.started);
}

/** 4.4 s, 104 % of floor */
export function runTime(run: Run): string {
  const ms = runMs(run);
  if (ms === null) return "under way";
  const us = (run.phases ?? []).reduce((sum, phase) => sum + phase.us, 0);
  const floor = run.outcome === "pass" && run.floor_us ? `, ${ofFloorText(us, run.floor_us)} of floor` : "";
  return `${duration(ms)}${floor}`;
}

export function Fact({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <div class="fact">
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function Group({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <section class="fact-group" aria-label={name}>
      <h4>{name}</h4>
      <dl>{children}</dl>
    </section>
  );
}

function Hash({ text }: { text: string }) {
  return <code class="hash">{text}</code>;
}

function VerifyFacts({ run }: { run: Run }) {
  const verify = run.verify;
  if (!verify) return <Fact name="Verified">{run.outcome === "pass" ? "not recorded" : "not reached"}</Fact>;
  return (
    <>
      <Fact name="Verified">
        {verify.method}
        {verify.taught_by !== undefined && (
          <>
            {" "}
            (taught by run <TraceLink subject="run" id={verify.taught_by} />)
          </>
        )}
        {verify.hidden && ` but for ${verify.hidden.size} bytes at ${hex(verify.hidden.address)}`}
      </Fact>
      <Fact name="Digest">{verify.digest ? <Hash text={verify.digest} /> : "none: sums of the chip"}</Fact>
      {run.unit_data_sha256 && (
        <Fact name="Unit data">
          <Hash text={run.unit_data_sha256} />
        </Fact>
      )}
    </>
  );
}

function Numbers({ run }: { run: Run }) {
  if (!run.numbers?.length) return null;
  return (
    <Fact name="Numbers">
      {run.numbers.map((number) => (
        <span key={number.text} class="number">
          <code>{number.text}</code> {number.pool ? `pool ${number.pool}` : "by the order"}
        </span>
      ))}
    </Fact>
  );
}

function LinkFacts({ run }: { run: Run }) {
  const link = run.link;
  return (
    <>
      {run.baud !== null && run.baud !== undefined && <Fact name="Baud">{run.baud}</Fact>}
      <Fact name="Retries">{run.retries ?? "–"}</Fact>
      {link && (
        <Fact name="Link">
          {countOf(link.attempts, "attempt")} to sync, {countOf(link.naks, "NAK")},{" "}
          {countOf(link.resends, "resend")}
        </Fact>
      )}
    </>
  );
}

function OrderFacts({ run }: { run: Run }) {
  return (
    <>
      <Fact name="Job">
        <TraceLink subject="job" id={run.job} />
      </Fact>
      {run.work_order && (
        <Fact name="Work order">
          <TraceLink subject="work_order" id={run.work_order} />
        </Fact>
      )}
      <Fact name="Recipe">
        <RecipeText recipe={run.recipe} />
      </Fact>
      <Fact name={run.images.length > 1 ? "Images" : "Image"}>
        {run.images.map((id) => (
          <span key={id} class="number">
            <ImageLink id={id} />
          </span>
        ))}
      </Fact>
      <Fact name="Ordered by">{run.by ?? "–"}</Fact>
      {run.rework && <Fact name="Rework">{run.rework}</Fact>}
    </>
  );
}

function BoardFacts({ run }: { run: Run }) {
  return (
    <>
      {run.serial && (
        <Fact name="Serial">
          <TraceLink subject="serial" id={run.serial} />
        </Fact>
      )}
      {run.uid && (
        <Fact name="Chip UID">
          <a class="mono" href={`#/trace?${new URLSearchParams({ serial: run.uid }).toString()}`}>
            {run.uid}
          </a>
        </Fact>
      )}
      <Fact name="Chip">
        {run.chip}
        {run.chip_id && ` (id ${run.chip_id})`}
      </Fact>
      {run.code && (
        <Fact name="Code read">
          <code>{run.code}</code>
        </Fact>
      )}
      <Numbers run={run} />
      {run.unit && (
        <Fact name="Of the order">
          <code>{JSON.stringify(run.unit)}</code>
        </Fact>
      )}
    </>
  );
}

function StationFacts({ run }: { run: Run }) {
  return (
    <>
      <Fact name="Station">
        {run.station}
        {run.fixture && `, fixture ${run.fixture}`}
      </Fact>
      {run.port && (
        <Fact name="Port">
          <code>{run.port}</code>
        </Fact>
      )}
      <LinkFacts run={run} />
      <Fact name="Daemon">{run.version ?? "–"}</Fact>
      <Fact name="In the ledger">{run.records?.length ? `records ${run.records.join(", ")}` : "–"}</Fact>
    </>
  );
}

async function dialogueOf(run: number): Promise<string> {
  const asked = client.GET("/v1/runs/{id}/dialogue", { params: { path: { id: run } } });
  return (await answer(asked)).dialogue;
}

/** Whether there is one, without fetching it. */
async function isRecorded(run: number): Promise<boolean> {
  const response = await fetch(`/v1/runs/${run}/dialogue`, { method: "HEAD" });
  if (!response.ok && response.status !== 404) throw problemOf(response.status, null);
  return response.ok;
}

function Dialogue({ run }: { run: number }) {
  const recorded = useAnswer(() => isRecorded(run), [run]);
  const [problem, setProblem] = useState<Problem | null>(null);

  function save() {
    dialogueOf(run).then(
      (text) => saveText(fileName(`run_${run}`, ".dialogue"), text),
      (thrown: unknown) => setProblem(asProblem(thrown)),
    );
  }
  return (
    <>
      {recorded.value && (
        <button type="button" onClick={save}>
          Dialogue on the port
        </button>
      )}
      {recorded.value === false && <span class="empty">The dialogue on the port was not recorded.</span>}
      <ProblemNote problem={problem ?? recorded.problem} />
    </>
  );
}

/** All that the record has of a run. */
export function RunDetails({ run }: { run: Run }) {
  return (
    <div class="run-details">
      <PhaseTable run={run} />
      <div class="fact-groups">
        <Group name="Board">
          <BoardFacts run={run} />
        </Group>
        <Group name="Verification">
          <VerifyFacts run={run} />
        </Group>
        <Group name="Order">
          <OrderFacts run={run} />
        </Group>
        <Group name="Station">
          <StationFacts run={run} />
        </Group>
      </div>
      {run.ended !== null && <Dialogue run={run.id} />}
    </div>
  );
}

export function RunPage({ id }: { id: number }) {
  const [ended, setEnded] = useState(false);
  const { value: run, problem } = useAnswer(async () => {
    const got = await answer(client.GET("/v1/runs/{id}", { params: { path: { id } } }));
    setEnded(got.ended !== null);
    return got;
  }, [id, ended ? 0 : revision.value]);
  if (!run || run.id !== id) return <ProblemNote problem={problem} />;
  return (
    <Panel
      title={`Run ${run.id}`}
      actions={
        run.serial ? (
          <a class="button" href={csvAddress({ serial: run.serial })} download={fileName(run.serial, ".csv")}>
            Runs of this unit as CSV
          </a>
        ) : undefined
      }
    >
      <ProblemNote problem={problem} />
      <p class="run-line">
        <span class="verdict">
          <OutcomeBadge outcome={run.outcome} failure={run.class} />
        </span>{" "}
        {dateTime(run.started)} at {run.station}, {runTime(run)}
      </p>
      {run.message && <p class="run-message">{run.message}</p>}
      <RunDetails run={run} />
    </Panel>
  );
}

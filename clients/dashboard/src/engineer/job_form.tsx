// SPDX-License-Identifier: Apache-2.0
/* Ordering boards: the form, its dry run, and the order. */
import { useState } from "preact/hooks";
import type { Job } from "../core/api";
import { to } from "../core/router";
import { Icon } from "../ui/icons";
import { Panel, ProblemNote, useAnswer } from "../ui/parts";
import { recipeChange } from "./changes";
import { FormProblem, Select, TextArea, TextBox } from "./controls";
import { DryRunView } from "./dry_run";
import { dryRun, isTried, order, put, startOver, submit, tryIt, unanswered } from "./job_order";
import { StationChoice } from "./job_stations";
import { What, askRecipes, chipOf } from "./job_what";
import { useAction } from "./parts";

function HowMany() {
  const { quantity, work_order, trigger, hold_after_failures } = order.value;
  return (
    <fieldset class="rows">
      <legend>How many, and when</legend>
      <div class="form">
        <TextBox
          label="Quantity"
          name="quantity"
          hint="boards that must pass; empty: one for each station"
          type="number"
          min={1}
          max={1000000}
          unit="boards"
          value={quantity}
          onValue={(text) => put({ quantity: text })}
        />
        <Select
          label="Trigger"
          name="trigger"
          hint="what begins a run"
          value={trigger}
          onValue={(text) => put({ trigger: text as typeof trigger })}
        >
          <option value="immediate">immediate: once at each station, now</option>
          <option value="on_insert">on insert: when a board answers</option>
          <option value="on_start">on start: button, scanner or fixture</option>
        </Select>
        <TextBox
          label="Work order"
          name="work_order"
          hint="as the MES calls it"
          maxLength={128}
          value={work_order}
          onValue={(text) => put({ work_order: text })}
        />
        <TextBox
          label="Hold after"
          name="hold_after_failures"
          hint="the job holds itself then; 0: never"
          type="number"
          min={0}
          unit="failures"
          value={hold_after_failures}
          onValue={(text) => put({ hold_after_failures: text })}
        />
      </div>
    </fieldset>
  );
}

function Seldom() {
  const { rework, units } = order.value;
  return (
    <details open={Boolean(rework || units)}>
      <summary>Rework, data of each unit</summary>
      <div class="form">
        <TextBox
          label="Rework"
          name="rework"
          hint="why units that have passed are programmed again, with the serial they have"
          maxLength={200}
          value={rework}
          onValue={(text) => put({ rework: text })}
        />
        <TextArea
          label="Units"
          name="units"
          hint={'a JSON list, such as [{"serial": "M-1", "code": "P-1", "position": "1"}]'}
          rows={4}
          mono
          value={units}
          onValue={(text) => put({ units: text })}
        />
      </div>
    </details>
  );
}

/** An order that may have been taken must be settled before another one is made. */
function Unanswered({ onAgain, busy }: { onAgain: () => void; busy: boolean }) {
  return (
    <div class="note note-bad" role="alert">
      <Icon name="warning" /> <strong>The order was sent, and no answer came.</strong> It may have been taken. Sent
      again it is ordered once, whatever happened.
      <div class="buttons">
        <button type="button" onClick={() => (unanswered.value = null)}>
          Give it up: I look into the list of jobs
        </button>
        <button type="button" class="primary" disabled={busy} onClick={onAgain}>
          Send the same again
        </button>
      </div>
    </div>
  );
}

function OrderButtons({ tried, busy, onOrder }: { tried: boolean; busy: boolean; onOrder: () => void }) {
  const said = tried ? dryRun.value?.said : undefined;
  const wrong = said?.findings.some((finding) => finding.severity === "error") ?? false;
  return (
    <div class="buttons sticky">
      <button type="button" onClick={startOver}>
        Clear
      </button>
      <button type="submit" class={tried ? "" : "primary"} disabled={busy}>
        Dry run
      </button>
      <button
        type="button"
        class={tried ? "primary" : ""}
        disabled={busy || !tried || wrong}
        title={wrong ? "the lint has an error" : tried ? undefined : "after a dry run of what the form has"}
        onClick={onOrder}
      >
        {said ? `Order ${said.units} ${said.units === 1 ? "board" : "boards"}` : "Order"}
      </button>
    </div>
  );
}

function Ordered({ job }: { job: Job }) {
  return (
    <p class="note note-good" role="status">
      <Icon name="pass" /> <a href={to("engineer/jobs", { id: String(job.id) })}>Job {job.id}</a> is ordered:{" "}
      {job.quantity} boards.
    </p>
  );
}

/** What the last dry run said; what is no longer true of the form is told so. */
export function DryRunPanel() {
  if (!dryRun.value) return null;
  const tried = isTried(order.value);
  return (
    <Panel title={tried ? "Dry run" : "Dry run, of the form as it was before"}>
      <div class={tried ? "" : "outdated"} role="status">
        <DryRunView said={dryRun.value.said} />
      </div>
    </Panel>
  );
}

export function JobForm() {
  const recipes = useAnswer(askRecipes, [recipeChange.value?.sequence]);
  const action = useAction();
  const [job, setJob] = useState<Job | null>(null);
  const tried = isTried(order.value);
  const waits = unanswered.value !== null;

  function send() {
    setJob(null);
    void action.run(async () => setJob(await submit()));
  }

  return (
    <FormProblem.Provider value={action.problem}>
      <form
        aria-label="Order"
        onSubmit={(event) => {
          event.preventDefault();
          setJob(null);
          void action.run(tryIt);
        }}
      >
        <Panel title="Order boards">
          <ProblemNote problem={recipes.problem} />
          <fieldset class="plain order" disabled={waits}>
            <What recipes={recipes.value ?? []} />
            <StationChoice chip={chipOf(recipes.value ?? [])} />
            <HowMany />
            <Seldom />
          </fieldset>
          <ProblemNote problem={action.problem} />
          {waits && !action.busy ? <Unanswered onAgain={send} busy={action.busy} /> : null}
          {job ? <Ordered job={job} /> : null}
          {waits ? null : <OrderButtons tried={tried} busy={action.busy} onOrder={send} />}
        </Panel>
      </form>
    </FormProblem.Provider>
  );
}

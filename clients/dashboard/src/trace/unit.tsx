// SPDX-License-Identifier: Apache-2.0
/* The history of one board. */
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { type Problem, type Run, type Unit, answer, asProblem, client } from "../core/api";
import type { components } from "../generated/contract";
import { revision } from "../core/farm";
import { dateTime } from "../core/format";
import { may } from "../core/session";
import { Icon } from "../ui/icons";
import { OutcomeBadge, Panel, ProblemNote, useAnswer } from "../ui/parts";
import { ImageLink, RecipeText, TraceLink } from "./links";
import { proofOf } from "./proof";
import { Fact, RunDetails, runTime } from "./run";
import { csvAddress, fileName, saveText } from "./save";
import { orNull } from "./search";

type Serial = components["schemas"]["Serial"];

/** A state of a number in words that need no manual. */
const STATES: Record<string, { icon: string; means: string }> = {
  reserved: { icon: "running", means: "given out; the chip is not known yet" },
  bound: { icon: "running", means: "given out to this chip" },
  pass: { icon: "pass", means: "shipped: its board passed" },
  fail: { icon: "fail", means: "its board failed; it gets the same number again" },
  unknown: { icon: "unknown", means: "in doubt: the host stopped while its board was programmed; quarantined" },
  burned: { icon: "aborted", means: "will never be used" },
  returned: { icon: "aborted", means: "nothing was written; its board gets it again" },
};

function SerialState({ serial }: { serial: Serial }) {
  const state = STATES[serial.state];
  const colour = serial.state === "reserved" || serial.state === "bound" ? "running" : serial.state;
  return (
    <>
      <span class={`badge outcome-${colour}`}>
        <Icon name={state?.icon ?? ""} /> {serial.state}
      </span>
      <span class="soft"> {state?.means}</span>
    </>
  );
}

/** The newest run's word on each; a unit found by its UID may have had several serials. */
function serialsOf(unit: Unit): string[] {
  const texts = [unit.serial, ...unit.runs.map((run) => run.serial)];
  return [...new Set(texts.filter((text) => text !== null))];
}

interface History {
  unit: Unit | null;
  serials: Serial[];
}

async function historyOf(text: string): Promise<History> {
  const unit = await orNull(answer(client.GET("/v1/units/{serial}", { params: { path: { serial: text } } })));
  const asked = unit ? serialsOf(unit) : [text];
  const serials = await Promise.all(
    asked.map((serial) => orNull(answer(client.GET("/v1/serials/{serial}", { params: { path: { serial } } })))),
  );
  return { unit, serials: serials.filter((serial) => serial !== null) };
}

// --- the timeline --------------------------------------------------------------------------------------------------

function Moment({ outcome, children }: { outcome: string; children: ComponentChildren }) {
  return (
    <li class="moment">
      <span class={`moment-sign outcome-${outcome}`} aria-hidden="true" />
      <div class="moment-body">{children}</div>
    </li>
  );
}

function RunMoment({ run, attempt, open }: { run: Run; attempt: number; open: boolean }) {
  return (
    <Moment outcome={run.outcome ?? "running"}>
      <h3 class="moment-head">
        <OutcomeBadge outcome={run.outcome} failure={run.class} />
        <span>
          attempt {attempt}: <TraceLink subject="run" id={run.id}>{`run ${run.id}`}</TraceLink> at {run.station}
        </span>
        <time dateTime={run.started}>{dateTime(run.started)}</time>
        <span class="soft">{runTime(run)}</span>
      </h3>
      {run.message && <p class="run-message">{run.message}</p>}
      <p class="moment-line soft">
        {run.serial && (
          <>
            serial <TraceLink subject="serial" id={run.serial} />,{" "}
          </>
        )}
        recipe <RecipeText recipe={run.recipe} />, image{" "}
        {run.images.map((id, index) => (
          <span key={id}>
            {index > 0 && ", "}
            <ImageLink id={id} />
          </span>
        ))}
        {run.work_order && (
          <>
            , work order <TraceLink subject="work_order" id={run.work_order} />
          </>
        )}
        , ordered by {run.by ?? "–"}
        {run.rework && `, rework: ${run.rework}`}
      </p>
      <details open={open}>
        <summary>Times, verification, numbers</summary>
        <RunDetails run={run} />
      </details>
    </Moment>
  );
}

/** The last word on a number when no run said it: a person's, or what the chip was found to hold. */
function SettledMoment({ serial }: { serial: Serial }) {
  return (
    <Moment outcome={serial.state}>
      <h3 class="moment-head">
        <span class={`badge outcome-${serial.state}`}>
          <Icon name={STATES[serial.state]?.icon ?? ""} /> {serial.state}
        </span>
        <span>
          serial {serial.serial} settled{serial.by && ` by ${serial.by}`}
        </span>
        <time dateTime={serial.updated}>{dateTime(serial.updated)}</time>
      </h3>
      {serial.reason && <p class="run-message">{serial.reason}</p>}
      <p class="moment-line soft">Record {serial.fact} of the ledger.</p>
    </Moment>
  );
}

const OPEN_RUNS = 2; // of more, only the last is shown in full at first

function Timeline({ history }: { history: History }) {
  const runs = [...(history.unit?.runs ?? [])].sort((a, b) => a.id - b.id);
  const told = new Set(runs.flatMap((run) => run.records ?? []));
  const settled = history.serials.filter((serial) => !told.has(serial.fact));
  return (
    <ol class="timeline" aria-label="History, oldest first">
      {runs.map((run, index) => (
        <RunMoment
          key={run.id}
          run={run}
          attempt={index + 1}
          open={runs.length <= OPEN_RUNS || index === runs.length - 1}
        />
      ))}
      {settled.map((serial) => (
        <SettledMoment key={serial.serial} serial={serial} />
      ))}
    </ol>
  );
}

// --- head and downloads --------------------------------------------------------------------------------------------

function ProofButton({ serial }: { serial: string }) {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);

  async function save() {
    setBusy(true);
    setProblem(null);
    try {
      saveText(fileName(serial, ".proof"), await proofOf(serial));
    } catch (thrown) {
      setProblem(asProblem(thrown));
    } finally {
      setBusy(false);
    }
  }
  return (
    <>
      <button
        type="button"
        disabled={busy}
        onClick={() => void save()}
        title="flashfarm audit check verifies it offline"
      >
        Proof
      </button>
      <ProblemNote problem={problem} />
    </>
  );
}

function Downloads({ unit }: { unit: Unit }) {
  const query = unit.serial !== null ? { serial: unit.serial } : unit.uid !== null ? { uid: unit.uid } : null;
  return (
    <span class="actions">
      {unit.serial !== null && may("proveRecord") && <ProofButton serial={unit.serial} />}
      {query && (
        <a class="button" href={csvAddress(query)} download={fileName(unit.serial ?? unit.uid ?? "", ".csv")}>
          Runs as CSV
        </a>
      )}
    </span>
  );
}

function SerialFacts({ serial }: { serial: Serial }) {
  return (
    <dl class="facts">
      <Fact name="State of the serial">
        <SerialState serial={serial} />
      </Fact>
      <Fact name="Since">
        {dateTime(serial.updated)} (record {serial.fact})
      </Fact>
      <Fact name="Attempts">{serial.attempts}</Fact>
      <Fact name="From">{serial.pool ? `pool ${serial.pool}, number ${serial.number ?? "–"}` : "the order"}</Fact>
      {serial.uid && (
        <Fact name="Bound to chip">
          <code>{serial.uid}</code>
        </Fact>
      )}
      {serial.reason && (
        <Fact name="Reason">
          {serial.reason}
          {serial.by && ` (${serial.by})`}
        </Fact>
      )}
    </dl>
  );
}

function UnitHead({ text, history }: { text: string; history: History }) {
  const { unit, serials } = history;
  const name = unit?.serial ?? text;
  return (
    <Panel title={unit?.serial != null || !unit ? `Serial ${name}` : `Chip ${unit.uid ?? name}`}
      actions={unit && <Downloads unit={unit} />}
    >
      {serials.map((serial) => (
        <SerialFacts key={serial.serial} serial={serial} />
      ))}
      {!serials.length && <p class="empty">No serial: the board is known by its chip UID only.</p>}
      {unit?.uid && !serials.some((serial) => serial.uid === unit.uid) && (
        <dl class="facts">
          <Fact name="Chip UID">
            <code>{unit.uid}</code>
          </Fact>
        </dl>
      )}
      {!unit && <p class="empty">No run is known of it.</p>}
    </Panel>
  );
}

function isUnderWay(history: History | null): boolean {
  return history?.unit?.runs.some((run) => run.ended === null) ?? false;
}

export function UnitView({ text }: { text: string }) {
  const [watch, setWatch] = useState(false);
  const { value: history, problem } = useAnswer(async () => {
    const got = await historyOf(text);
    setWatch(isUnderWay(got));
    return got;
  }, [text, watch ? revision.value : 0]);
  if (!history) return <ProblemNote problem={problem} />;
  if (!history.unit && !history.serials.length)
    return <p class="empty">Nothing is known of a unit with serial or chip UID “{text}”.</p>;
  return (
    <>
      <ProblemNote problem={problem} />
      <UnitHead text={text} history={history} />
      {history.unit && (
        <Panel title="History, oldest first">
          <Timeline history={history} />
        </Panel>
      )}
    </>
  );
}

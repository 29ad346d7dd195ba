// SPDX-License-Identifier: Apache-2.0
/* Beside the tiles: what is wrong, where it goes wrong most, and what came last. */
import type { RunBrief } from "../core/api";
import { type Alarm, acknowledge, alarms, recent } from "../core/farm";
import { clockTime } from "../core/format";
import { to } from "../core/router";
import { Disclosure } from "../ui/disclosure";
import { Icon } from "../ui/icons";
import "./side.css";
import { statistics } from "./statistics";

const LOCAL = "Noted by this page only: others, and this page when it is loaded anew, see the alarm open.";

function AlarmLine({ alarm }: { alarm: Alarm }) {
  const since = `${alarm.standing ? "before " : ""}${clockTime(alarm.since)}`;
  return (
    <li class={alarm.acknowledged ? "ln-alarm ln-alarm-seen" : "ln-alarm"} title={alarm.text}>
      <Icon name="warning" />
      <span class="ln-alarm-text">{alarm.text}</span>
      <time dateTime={alarm.since}>{since}</time>
      {alarm.acknowledged ? null : (
        <button
          type="button"
          title={LOCAL}
          aria-label={`Ack: ${alarm.text}`}
          onClick={() => acknowledge(alarm.key)}
        >
          Ack
        </button>
      )}
    </li>
  );
}

/** Those that nobody has acknowledged come first. */
function inOrder(all: Alarm[]): Alarm[] {
  return [...all.filter((alarm) => !alarm.acknowledged), ...all.filter((alarm) => alarm.acknowledged)];
}

export function Alarms({ lines }: { lines: number }) {
  const all = inOrder(alarms.value);
  const open = all.filter((alarm) => !alarm.acknowledged);
  return (
    <section class={`ln-side-part ln-alarms${open.length ? " ln-alarms-open" : ""}`} aria-label="Alarms">
      <header>
        <h2>
          {open.length ? <Icon name="warning" /> : null} {all.length ? `Alarms: ${open.length} open` : "No alarms"}
        </h2>
        {open.length > 1 ? (
          <button type="button" title={LOCAL} onClick={() => open.forEach((alarm) => acknowledge(alarm.key))}>
            Ack all
          </button>
        ) : null}
        {all.length > lines ? (
          <Disclosure label={`All ${all.length}`}>
            <ul class="ln-alarm-list ln-alarm-list-all">
              {all.map((alarm) => (
                <AlarmLine key={alarm.key} alarm={alarm} />
              ))}
            </ul>
          </Disclosure>
        ) : null}
      </header>
      <ul class="ln-alarm-list" aria-live="polite">
        {all.slice(0, lines).map((alarm) => (
          <AlarmLine key={alarm.key} alarm={alarm} />
        ))}
      </ul>
    </section>
  );
}

export function Pareto() {
  const rows = (statistics.value?.pareto ?? []).slice(0, 5);
  const most = rows[0]?.count ?? 1;
  return (
    <section class="ln-side-part ln-pareto" aria-label="Most frequent failures">
      <h2>Failures by station and class</h2>
      {rows.length === 0 ? <p class="empty">none</p> : null}
      <table>
        <tbody>
          {rows.map((row) => (
            <tr key={`${row.station} ${row.class}`}>
              <th scope="row">{row.station}</th>
              <td class="ln-pareto-class">
                <span class="ln-pareto-bar" style={{ transform: `scaleX(${row.count / most})` }} />
                <span class="ln-pareto-word">{row.class || "unknown"}</span>
              </td>
              <td class="ln-pareto-count">{row.count}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function Unit({ run }: { run: RunBrief }) {
  const word = run.outcome === "pass" ? "pass" : (run.class ?? run.outcome ?? "");
  const known = run.serial ?? run.uid;
  const text = run.outcome === "pass" && known ? known : word;
  const title = `run ${run.id}, ${run.ended ? clockTime(run.ended) : ""}: ${word}${known ? `, ${known}` : ""}`;
  return (
    <li class={`ln-unit outcome-${run.outcome}`} title={title}>
      <Icon name={run.outcome ?? ""} />
      <span class="hidden">{run.outcome}</span>
      <b>{run.station}</b>
      {known ? (
        <a class="mono" href={to("trace", { q: known })}>
          <bdi dir="ltr">{text}</bdi>
        </a>
      ) : (
        <span class="ln-unit-word">{text}</span>
      )}
    </li>
  );
}

export function LastUnits() {
  return (
    <section class="ln-side-part ln-units" aria-label="Last units">
      <h2>Last units</h2>
      {recent.value.length === 0 ? <p class="empty">none yet</p> : null}
      <ol>
        {recent.value.map((run) => (
          <Unit key={run.id} run={run} />
        ))}
      </ol>
    </section>
  );
}

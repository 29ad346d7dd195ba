// SPDX-License-Identifier: Apache-2.0
/* One tile for each position, placed as in the fixture. A board that failed is a filled tile, one that passed is not:
 * they stay apart in grey, from three metres. */
import type { Job, Station } from "../core/api";
import { type StationModel, link, stale } from "../core/farm";
import { Icon } from "../ui/icons";
import { type Cell, layOut } from "./layout";
import { asksForCode, positions, shown } from "./order";
import { type BoardRun, inWork, isPressed, resultAt, skipped } from "./panel";
import { hasLeft, panelResult } from "./situation";
import "./tiles.css";

const LONG = 5; // letters that a tile has room for in full size

interface Look {
  kind: string;
  icon: string | null;
  word: string;
  note: string;
}

/** Words for what stands still; `waiting` depends on what for. */
const states: Record<string, [kind: string, word: string]> = {
  starting: ["quiet", "WAIT"],
  idle: ["quiet", "–"],
  identifying: ["work", "WAIT"],
  running: ["work", "BUSY"],
  recording: ["work", "BUSY"],
  removal: ["quiet", "TAKE OUT"],
  "port-lost": ["off", "NO PORT"],
  disabled: ["off", "OFF"],
  stopped: ["off", "STOPPED"],
};

const remarks: Record<string, string> = { "port-lost": "check the cable", disabled: "switched off" };

const outcomes: Record<string, [kind: string, word: string]> = {
  pass: ["pass", "PASS"],
  fail: ["fail", "FAIL"],
  aborted: ["fail", "FAIL"],
  unknown: ["fail", "UNKNOWN"],
};

function ofResult(result: BoardRun): Look {
  const [kind, word] = outcomes[result.outcome ?? ""] ?? ["fail", "UNKNOWN"];
  const why = result.outcome === "unknown" ? "the daemon stopped" : result.failure;
  const icon = kind === "pass" ? "pass" : word === "UNKNOWN" ? "unknown" : "fail";
  return { kind, icon, word, note: kind === "pass" ? result.serial || result.code : why };
}

function ofWaiting(live: Station, job: Job): Look {
  if (job.state === "held") return { kind: "quiet", icon: "held", word: "HELD", note: "" };
  if (asksForCode(live)) return { kind: "quiet", icon: null, word: "SCAN", note: "" };
  if (job.trigger === "on_start") return { kind: "quiet", icon: null, word: "READY", note: "" };
  const known = ["insert a board", ""].includes(live.message);
  return { kind: known ? "quiet" : "off", icon: null, word: "INSERT", note: known ? (live.code ?? "") : live.message };
}

function ofState(live: Station, job: Job): Look {
  if (live.state === "waiting") return ofWaiting(live, job);
  const [kind, word] = states[live.state] ?? ["off", live.state];
  const note = kind === "off" ? (remarks[live.state] ?? live.message) : "";
  return { kind, icon: kind === "off" ? "warning" : null, word, note };
}

function ofWork(model: StationModel): Look {
  const live = model.live.value;
  if (isPressed(live)) return { kind: "work", icon: null, word: "START", note: "" };
  const progress = model.progress.value;
  const percent = progress?.percent ?? live.percent;
  const phase = progress?.phase ?? live.phase ?? "";
  return { kind: "work", icon: null, word: `${percent} %`, note: phase };
}

function lookOf(model: StationModel, job: Job): Look {
  const live = model.live.value;
  if (inWork(live)) return ofWork(model);
  if (skipped.value.has(live.name))
    return { kind: "skip", icon: "aborted", word: "SKIP", note: "left out of the next start" };
  const result = panelResult(model, job);
  if (result?.outcome) return ofResult(result);
  const look = ofState(live, job);
  const before = resultAt(live);
  if (!before?.outcome || hasLeft(live, before) || look.note) return look;
  return { ...look, note: `last: ${ofResult(before).word} ${before.failure}` };
}

function Bar({ model }: { model: StationModel }) {
  const percent = model.progress.value?.percent ?? model.live.value.percent;
  return <span class="op-bar" style={{ transform: `scaleX(${percent / 100})` }} />;
}

function Tile({ model, row, column, job }: Cell & { job: Job }) {
  const look = lookOf(model, job);
  const live = model.live.value;
  const place = row !== null && column !== null ? { gridRow: row, gridColumn: column } : {};
  const position = live.position && live.position !== live.name ? live.position : "";
  return (
    <li class={`op-tile op-${look.kind}`} style={place} data-station={live.name} title={live.message}>
      <span class="op-name">
        {live.name} {position && <small>position {position}</small>}
      </span>
      <span class={look.word.length > LONG ? "op-word op-long" : "op-word"}>
        {look.icon && <Icon name={look.icon} />}
        {look.word}
      </span>
      <span class="op-note">{look.note}</span>
      {look.kind === "work" && <Bar model={model} />}
    </li>
  );
}

export function Tiles() {
  const job = shown.value;
  const layout = layOut(positions.value);
  if (!job) return null;
  const grid = {
    gridTemplateColumns: `repeat(${layout.columns}, minmax(0, 1fr))`,
    gridTemplateRows: `repeat(${layout.rows}, minmax(0, 1fr))`,
  };
  const alive = link.value === "live" && !stale.value;
  return (
    <ul class={alive ? "op-tiles" : "op-tiles op-old"} style={grid} aria-label="Positions of the fixture">
      {layout.cells.map(({ model, row, column }) => (
        <Tile key={model.name} model={model} job={job} row={row} column={column} />
      ))}
    </ul>
  );
}

// SPDX-License-Identifier: Apache-2.0
/* All stations as they are configured and as they are now, and what can be done to one. */
import { signal } from "@preact/signals";
import { useState } from "preact/hooks";
import { type Board, type Problem, type Station, answer, asProblem, client } from "../core/api";
import { type StationModel, stations } from "../core/farm";
import { bytes } from "../core/format";
import { to } from "../core/router";
import { may } from "../core/session";
import { Icon } from "../ui/icons";
import { Empty, Panel } from "../ui/parts";
import { Select, TextBox } from "./controls";

const PAGE = 32;

type Said = { board: Board } | { problem: Problem } | { busy: string };

/** what the last button of a station led to, by its name; stays until it is put away */
const said = signal<Record<string, Said>>({});

function say(name: string, what: Said | null): void {
  const others = { ...said.value };
  delete others[name];
  said.value = what ? { ...others, [name]: what } : others;
}

const commands = {
  enable: "/v1/stations/{name}/enable",
  disable: "/v1/stations/{name}/disable",
  record: "/v1/stations/{name}/record",
} as const;

async function command(model: StationModel, what: keyof typeof commands): Promise<void> {
  say(model.name, { busy: what });
  try {
    model.live.value = await answer(client.POST(commands[what], { params: { path: { name: model.name } } }));
    say(model.name, null);
  } catch (thrown) {
    say(model.name, { problem: asProblem(thrown) });
  }
}

async function identify(name: string): Promise<void> {
  say(name, { busy: "identify" });
  try {
    say(name, { board: await answer(client.POST("/v1/stations/{name}/identify", { params: { path: { name } } })) });
  } catch (thrown) {
    say(name, { problem: asProblem(thrown) });
  }
}

function BoardFacts({ board }: { board: Board }) {
  return (
    <span>
      <Icon name="pass" /> <strong>{board.family ?? board.chips[0] ?? "an unknown chip"}</strong>
      {board.chips.length ? <> ({board.chips.join(", ")})</> : null}, id <span class="mono">{board.chip_id}</span>
      {board.uid ? (
        <>
          , UID{" "}
          <a class="mono" href={to("trace", { q: board.uid })}>
            {board.uid}
          </a>
        </>
      ) : null}
      {board.flash_size ? `, ${bytes(board.flash_size)} of flash` : ""}
      {`, bootloader 0x${board.bootloader.toString(16).padStart(2, "0")}`}
      {board.baud ? `, ${board.baud} baud` : ""}
      {board.protected ? (
        <strong>
          , <Icon name="warning" /> protected against reading
        </strong>
      ) : null}
    </span>
  );
}

function SaidRow({ name }: { name: string }) {
  const what = said.value[name];
  if (!what) return null;
  return (
    <tr class="said">
      <td colSpan={9}>
        <div class="said-line" role="status">
          {"busy" in what ? <span>{what.busy} …</span> : null}
          {"board" in what ? <BoardFacts board={what.board} /> : null}
          {"problem" in what ? (
            <span class="bad">
              <Icon name="warning" /> <strong>{what.problem.title}</strong> {what.problem.detail}
            </span>
          ) : null}
          <span class="grow" />
          {"busy" in what ? null : (
            <button type="button" onClick={() => say(name, null)} aria-label={`Put away what ${name} said`}>
              Put away
            </button>
          )}
        </div>
      </td>
    </tr>
  );
}

function StateCell({ live }: { live: Station }) {
  const bad = live.state === "port-lost" || live.state === "stopped";
  return (
    <td title={live.message || undefined}>
      <span class={bad ? "badge bad" : "badge"}>
        <Icon name={live.state} /> {live.state}
      </span>
      {bad && live.message ? <small class="message">{live.message}</small> : null}
    </td>
  );
}

function PortCell({ live }: { live: Station }) {
  return (
    <td class="port">
      <span class="mono cut" title={live.port}>
        {live.port}
      </span>
      {live.path && !live.port.endsWith(live.path) ? <small class="mono">{live.path}</small> : null}
    </td>
  );
}

function LineCell({ live }: { live: Station }) {
  const timer = live.latency_timer_ms < 0 ? "" : `, timer ${live.latency_timer_ms} ms`;
  return (
    <td>
      {live.baud || "auto"}
      {live.proven_baud && live.proven_baud !== live.baud ? ` (proven ${live.proven_baud})` : ""}
      <small>
        entry {live.entry}
        {live.low_latency ? ", low latency" : ""}
        {timer}
      </small>
    </td>
  );
}

function CountsCell({ live }: { live: Station }) {
  const { pass, fail, aborted, unknown } = live.counts;
  return (
    <td class="num">
      {pass} <span class="faint">passed</span>
      <small>
        {fail} fail, {aborted} aborted{unknown ? `, ${unknown} unknown` : ""}
      </small>
    </td>
  );
}

function Buttons({ model, live }: { model: StationModel; live: Station }) {
  const what = said.value[live.name];
  const busy = what !== undefined && "busy" in what;
  return (
    <td class="row-buttons">
      {may("identifyStation") ? (
        <button type="button" disabled={busy} onClick={() => void identify(live.name)}>
          Identify<span class="hidden"> the board at {live.name}</span>
        </button>
      ) : null}
      {may("recordStation") ? (
        <button
          type="button"
          disabled={busy || live.recording}
          title="keeps the dialogue of its next run, byte by byte"
          onClick={() => void command(model, "record")}
        >
          {live.recording ? "Recording" : "Record"}
          <span class="hidden"> the next run of {live.name}</span>
        </button>
      ) : null}
      {may("enableStation") ? (
        <button type="button" disabled={busy} onClick={() => void command(model, live.enabled ? "disable" : "enable")}>
          {live.enabled ? "Disable" : "Enable"}
          <span class="hidden"> {live.name}</span>
        </button>
      ) : null}
    </td>
  );
}

function StationRow({ model }: { model: StationModel }) {
  const live = model.live.value;
  return (
    <>
      <tr>
        <th scope="row">{live.name}</th>
        <StateCell live={live} />
        <td>{live.position || "–"}</td>
        <td>{live.protocol}</td>
        <PortCell live={live} />
        <LineCell live={live} />
        <CountsCell live={live} />
        <td>{live.fixture || "–"}</td>
        <Buttons model={model} live={live} />
      </tr>
      <SaidRow name={live.name} />
    </>
  );
}

const groups: Record<string, (live: Station) => boolean> = {
  all: () => true,
  "cannot work": (live) => live.state === "port-lost" || live.state === "stopped",
  disabled: (live) => !live.enabled,
};

function matching(text: string, group: string): StationModel[] {
  const wanted = text.trim().toLowerCase();
  return stations.value.filter((model) => {
    const live = model.live.value;
    const words = `${live.name} ${live.protocol} ${live.port} ${live.position}`.toLowerCase();
    return words.includes(wanted) && (groups[group]?.(live) ?? true);
  });
}

function Head() {
  return (
    <thead>
      <tr>
        <th scope="col">Station</th>
        <th scope="col">State</th>
        <th scope="col">Position</th>
        <th scope="col">Protocol</th>
        <th scope="col">Port</th>
        <th scope="col">Baud, entry</th>
        <th scope="col" class="num">
          Runs
        </th>
        <th scope="col">Fixture</th>
        <th scope="col">
          <span class="hidden">What can be done</span>
        </th>
      </tr>
    </thead>
  );
}

export function StationTable() {
  const [text, setText] = useState("");
  const [group, setGroup] = useState("all");
  const [page, setPage] = useState(0);
  const found = matching(text, group);
  const last = Math.max(0, Math.ceil(found.length / PAGE) - 1);
  const from = Math.min(page, last) * PAGE;
  return (
    <Panel title={`Stations (${stations.value.length})`}>
      <div class="filters">
        <TextBox label="Find" type="search" hint="name, protocol, port or position" value={text} onValue={setText} />
        <Select label="Show" value={group} onValue={setGroup}>
          {Object.keys(groups).map((name) => (
            <option key={name}>{name}</option>
          ))}
        </Select>
        <span class="grow" />
        {last > 0 ? (
          <nav class="pager" aria-label="Pages of stations">
            <button type="button" disabled={from === 0} onClick={() => setPage(Math.min(page, last) - 1)}>
              Before
            </button>
            <span>
              {from + 1} to {Math.min(from + PAGE, found.length)} of {found.length}
            </span>
            <button type="button" disabled={from / PAGE >= last} onClick={() => setPage(Math.min(page, last) + 1)}>
              Next
            </button>
          </nav>
        ) : null}
      </div>
      {found.length ? (
        <table class="stations">
          <Head />
          <tbody>
            {found.slice(from, from + PAGE).map((model) => (
              <StationRow key={model.name} model={model} />
            ))}
          </tbody>
        </table>
      ) : (
        <Empty>None.</Empty>
      )}
    </Panel>
  );
}

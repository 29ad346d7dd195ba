// SPDX-License-Identifier: Apache-2.0
/* Bar codes of the commands, to be printed and hung up at the fixture. */
import { useEffect, useRef } from "preact/hooks";
import { stations } from "../core/farm";
import { route, to } from "../core/router";
import { bars, isEncodable } from "./code128";
import { type CommandCode, commandCodes, skipCode } from "./commands";
import "./codes.css";

const QUIET = 10; // modules on either side, as the standard asks
const HEIGHT = 40;

function BarCode({ text }: { text: string }) {
  if (!isEncodable(text)) return <p>This name cannot be a bar code: only ASCII can.</p>;
  const { bars: dark, modules } = bars(text);
  const width = modules + 2 * QUIET;
  const path = dark.map((bar) => `M${bar.x + QUIET} 0h${bar.width}v${HEIGHT}h-${bar.width}z`).join("");
  return (
    <svg
      class="code-bars"
      viewBox={`0 0 ${width} ${HEIGHT}`}
      style={{ width: `${width * 0.33}mm` }}
      preserveAspectRatio="none"
      role="img"
      aria-label={`Bar code ${text}`}
    >
      <path d={path} />
    </svg>
  );
}

function Card({ command, explained = false }: { command: CommandCode; explained?: boolean }) {
  return (
    <li class="code-card">
      <h3>{command.name}</h3>
      <BarCode text={command.code} />
      <code>{command.code}</code>
      {!explained && <p>{command.does}</p>}
    </li>
  );
}

export function CodesPage() {
  const fixture = route.value.query.get("fixture");
  const models = stations.value.filter((model) => !fixture || model.live.value.fixture === fixture);
  const print = useRef<HTMLButtonElement>(null);
  useEffect(() => print.current?.focus(), []);
  return (
    <div class="codes">
      <header class="codes-head">
        <h1>Command bar codes{fixture ? ` of fixture ${fixture}` : ""}</h1>
        <button type="button" class="primary" ref={print} onClick={() => window.print()}>
          Print
        </button>
        <a href={to("operate")}>Back to work</a>
      </header>
      <h2>Commands</h2>
      <ul class="code-cards" aria-label="Commands">
        {commandCodes.map((command) => (
          <Card key={command.code} command={command} />
        ))}
      </ul>
      <h2>Leave a position out of the next start; scanned again: take it in</h2>
      <ul class="code-cards" aria-label="Positions">
        {models.map((model) => (
          <Card key={model.name} command={skipCode(model.name)} explained />
        ))}
      </ul>
    </div>
  );
}

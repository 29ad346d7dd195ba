// SPDX-License-Identifier: Apache-2.0
/* What a scan can be. Commands are bar codes that this page prints (#/operate/codes); their mark keeps them apart from
 * everything that is on a board, so that neither a command nor a badge ever becomes a board's code. */

/** What begins so is no board's code. */
const MARK = "FF-";
const SKIP = `${MARK}SKIP-`;
const BADGE = /^(FF-)?BADGE[-:]/i;
const CODE_MAX_BYTES = 127; // as the contract has it

export interface CommandCode {
  code: string;
  name: string;
  does: string;
}

export const commandCodes: readonly CommandCode[] = [
  { code: `${MARK}START`, name: "START", does: "Start every position that waits for it." },
  { code: `${MARK}AGAIN`, name: "AGAIN", does: "Start only the positions whose boards failed." },
  { code: `${MARK}HOLD`, name: "HOLD", does: "Hold the order: what runs is finished, nothing new begins." },
  { code: `${MARK}RESUME`, name: "RESUME", does: "Go on with the order that is held." },
  { code: `${MARK}CLEAR`, name: "CLEAR", does: "Forget what was skipped and shown; choose the order anew." },
  { code: `${MARK}FULL`, name: "FULL SCREEN", does: "Full screen, and back." },
];

export function skipCode(station: string): CommandCode {
  const does = `Leave ${station} out of the next start, or take it in again.`;
  return { code: SKIP + station, name: `SKIP ${station}`, does };
}

export type Scan =
  | { kind: "start" | "again" | "hold" | "resume" | "clear" | "full" }
  | { kind: "skip"; station: string }
  | { kind: "code"; code: string }
  | { kind: "refused"; why: string };

const plain = new Map<string, Scan>([
  [`${MARK}START`, { kind: "start" }],
  [`${MARK}AGAIN`, { kind: "again" }],
  [`${MARK}HOLD`, { kind: "hold" }],
  [`${MARK}RESUME`, { kind: "resume" }],
  [`${MARK}CLEAR`, { kind: "clear" }],
  [`${MARK}FULL`, { kind: "full" }],
]);

function refused(why: string): Scan {
  return { kind: "refused", why };
}

/** The name as it is written in the configuration; a scanner may have turned its letters. */
function stationCalled(name: string, stations: readonly string[]): string | undefined {
  if (stations.includes(name)) return name;
  const alike = stations.filter((station) => station.toUpperCase() === name.toUpperCase());
  return alike.length === 1 ? alike[0] : undefined;
}

function readSkip(name: string, stations: readonly string[]): Scan {
  const station = stationCalled(name, stations);
  if (station) return { kind: "skip", station };
  return refused(`There is no position ${name} in this order: nothing was skipped.`);
}

export function readScan(text: string, stations: readonly string[]): Scan {
  const upper = text.toUpperCase();
  const command = plain.get(upper);
  if (command) return command;
  if (BADGE.test(text)) return refused("That is a badge, not a board: scan the board or the panel.");
  if (upper.startsWith(SKIP)) return readSkip(text.slice(SKIP.length), stations);
  if (upper.startsWith(MARK)) return refused(`${text} is no command that this page knows: print the codes anew.`);
  if (new TextEncoder().encode(text).length > CODE_MAX_BYTES)
    return refused("That code is longer than any board's: scan the board or the panel.");
  return { kind: "code", code: text };
}

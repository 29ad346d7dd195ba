// SPDX-License-Identifier: Apache-2.0
/* What an operator does about a board that did not pass, for each failure class. */
import type { Job } from "../core/api";

/** again: another try may help; bin: the board is put aside; engineer: nobody goes on before somebody has looked. */
export type Remedy = "again" | "bin" | "engineer";

export interface Advice {
  means: string;
  remedy: Remedy;
  todo: string;
  /** what is done to the boards NAMES before another try, in the sentence for the whole panel */
  first?: string;
}

const PRESS = "press NAMES down";

function again(means: string, todo: string, first = "leave NAMES in"): Advice {
  return { means, remedy: "again", todo, first };
}

function bin(means: string, todo = "Put it aside, red bin."): Advice {
  return { means, remedy: "bin", todo };
}

function call(means: string, todo = "Put it aside and call an engineer."): Advice {
  return { means, remedy: "engineer", todo };
}

const table: Record<string, Advice> = {
  "no-contact": again("The board does not answer.", "Press the board down, then AGAIN.", PRESS),
  timeout: again("The board took too long.", "Press the board down, then AGAIN; if it fails twice: red bin.", PRESS),
  protocol: again("The board answers wrongly.", "Press the board down, then AGAIN; if it fails twice: red bin.", PRESS),
  "port-lost": again("The cable of the position is gone.", "Check the cable, then AGAIN.", "check the cable of NAMES"),
  cancelled: again("The order was stopped meanwhile.", "Leave the board in; AGAIN when the order goes on."),
  unknown: again("The daemon stopped meanwhile; what is on the board is not known.", "Leave the board in, then AGAIN."),
  erase: bin("The chip cannot be erased."),
  write: bin("The chip cannot be written."),
  verify: bin("What was read back differs."),
  "option-bytes": bin("The option bytes did not stay."),
  lock: bin("The chip could not be locked."),
  protected: bin("The chip is locked already.", "Put it aside for rework."),
  "wrong-chip": call("Another chip than the order's."),
  "wrong-board": call("Not the board that belongs here.", "Was the panel changed? Then call an engineer."),
  "duplicate-uid": call("This chip was seen elsewhere."),
  power: call("The supply is not right.", "Take the board out and call an engineer."),
  data: call("What this unit is to get is missing."),
  "serial-exhausted": call("There are no serials left.", "Call an engineer: the order needs serials."),
  record: call("The result could not be kept.", "Stop here and call an engineer."),
  internal: call("The daemon made a mistake."),
};

const other = call("It did not pass.");

/** How a board is tried again under the job's trigger. */
export function againWords(trigger: Job["trigger"] | undefined, hasCodes: boolean): string {
  if (trigger === "on_insert") return "take it out and put it in again";
  if (trigger === "immediate") return "call an engineer";
  return hasCodes ? "scan it again" : "scan AGAIN";
}

export function adviceFor(outcome: string, failure: string, words: string): Advice {
  const found = (outcome === "unknown" ? table.unknown : table[failure]) ?? other;
  return { ...found, todo: found.todo.replace("AGAIN", words) };
}

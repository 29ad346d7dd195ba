// SPDX-License-Identifier: Apache-2.0
/* What a tile says: the state of its station, or, until the unit is taken out or the next begins, what came of it. */
import type { Station } from "../core/api";
import type { Mark } from "../core/farm";
import type { Order } from "./order";

export interface Face {
  /** the word of the state, and of the sign before it */
  word: string;
  /** what came of the unit that is still there; null while there is none */
  outcome: string | null;
  /** the class of its failure, else empty */
  failure: string;
  /** why, or what to do, for people */
  message: string;
  /** what the board is known by */
  serial: string;
}

/** A unit is taken to be there until the daemon has seen it leave: only jobs that begin on insertion look for that. */
function isThere(live: Station, order: Order): boolean {
  if (live.run !== null || !live.last || live.last.gone) return false;
  if (live.state === "waiting") return order === "told";
  return live.state !== "starting" && live.state !== "disabled" && live.state !== "stopped";
}

/** The daemon restarted while the run was under way: it knows of it by its record only. */
function wasLost(live: Station, mark: Mark | undefined): boolean {
  return live.run === null && !live.last && mark?.outcome === "unknown" && live.state !== "disabled";
}

function messageOf(live: Station, word: string, there: boolean): string {
  if (there && live.last?.message) return live.last.message;
  return word === "held" ? "the job is held" : live.message;
}

function wordOf(live: Station, order: Order): string {
  if (live.state === "running" && live.run === null) return ""; // it has just ended: what comes now is told at once
  const rests = live.state === "idle" || live.state === "waiting";
  return rests && order === "held" ? "held" : live.state;
}

export function faceOf(live: Station, marks: readonly Mark[], order: Order): Face {
  const mark = marks.at(-1);
  const last = live.last;
  const lost = wasLost(live, mark);
  const there = lost || isThere(live, order);
  const ofLast = there && mark && (lost || mark.run === last?.run) ? mark.serial : "";
  const word = wordOf(live, order);
  const outcome = there ? (lost ? "unknown" : (last?.outcome ?? null)) : null;
  return {
    word,
    outcome,
    failure: there && outcome !== "pass" ? ((lost ? mark?.class : last?.class) ?? "") : "",
    message: messageOf(live, word, there),
    serial: live.serial || ofLast || live.code || live.uid || "",
  };
}

/** What wants a look: nothing else on the page has a large surface of colour. */
export function toneOf(face: Face): "bad" | "good" | "warn" | "calm" {
  if (face.outcome === "pass") return face.word === "port-lost" ? "warn" : "good";
  if (face.outcome !== null && face.failure !== "cancelled") return "bad";
  return face.word === "port-lost" ? "warn" : "calm";
}

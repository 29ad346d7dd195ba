// SPDX-License-Identifier: Apache-2.0
/* What a scan is answered with. Where the daemon's answer does not come it is asked what it knows of the scan, and
 * until it says so no other is taken: none is lost silently, none is sent twice. */
import { signal } from "@preact/signals";
import { Problem, asProblem } from "../core/api";
import { isLoggedIn } from "../core/session";
import { type Tone, situation } from "./situation";
import { sound } from "./sound";

export interface Reply {
  scanned: string;
  at: Date;
  tone: Tone;
  text: string;
  /** shown as the big sentence, for as long as the situation is this one; null: only as what the last scan did */
  during: string | null;
}

/** What the daemon knows of a scan: how it went; null: it did not arrive. */
type Ask = () => Promise<string | null>;
type Request<T> = (signal: AbortSignal) => Promise<T>;

const ANSWER_MS = 15_000;
const ASK_AGAIN_MS = 2_000;
const NAMES_MAX = 6;
const inOrder = new Intl.Collator(undefined, { numeric: true }).compare;

export const lastReply = signal<Reply | null>(null);
/** a scan of which it is not known whether it arrived */
export const doubt = signal<string | null>(null);
/** counts those scans */
export const doubts = signal(0);

/** What the daemon says is no whole sentence: it may stand behind "station A1: ". */
function whole(text: string): string {
  const first = /^[a-z]+\b(?!-)/.test(text) ? text.charAt(0).toUpperCase() + text.slice(1) : text;
  return /[.!?]$/.test(first) ? first : `${first}.`;
}

export function say(scanned: string, tone: Tone, text: string, big = true): void {
  if (tone === "bad") sound("refused");
  lastReply.value = { scanned, at: new Date(), tone, text: whole(text), during: big ? situation.value.key : null };
}

export function namely(names: readonly string[]): string {
  return names.length <= NAMES_MAX ? [...names].sort(inOrder).join(", ") : `${names.length} positions`;
}

function pause(ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, ms));
}

// --- an answer that does not come --------------------------------------------------------------------------------

async function settle(scanned: string, ask: Ask): Promise<void> {
  doubt.value = scanned;
  doubts.value++;
  try {
    for (;;) {
      try {
        if (!isLoggedIn.value) throw new Problem(401, "Nobody is logged in", "");
        const known = await ask();
        if (known === null) say(scanned, "bad", `${scanned} did not arrive and did nothing: scan it again.`);
        else say(scanned, "warn", `The answer to ${scanned} was lost, but it arrived: ${known}`, false);
        return;
      } catch {
        await pause(ASK_AGAIN_MS); // until somebody is logged in and the daemon answers
      }
    }
  } finally {
    doubt.value = null;
  }
}

/** Sends, and says what was refused; `ask` when it is not known whether it arrived. Undefined: no answer. */
export async function send<T>(scanned: string, ask: Ask, request: Request<T>): Promise<T | undefined> {
  try {
    return await request(AbortSignal.timeout(ANSWER_MS));
  } catch (thrown) {
    const problem = asProblem(thrown);
    if (problem.status === 0) await settle(scanned, ask);
    else say(scanned, "bad", problem.status === 401 ? `${scanned} was not taken: scan it again.` : problem.message);
    return undefined;
  }
}

/** For questions that may be asked again. */
export function patience(): { signal: AbortSignal } {
  return { signal: AbortSignal.timeout(ANSWER_MS) };
}

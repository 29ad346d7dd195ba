// SPDX-License-Identifier: Apache-2.0
/* The proof of one serial as a file: the same text as `flashfarm audit prove` writes (clients/flashfarm/audit_proof.c),
 * so that `flashfarm audit check` takes it, anywhere and offline. */
import { Problem, type Run, type Unit, answer, client } from "../core/api";
import type { components } from "../generated/contract";

type Proof = components["schemas"]["Proof"];
type LedgerRecord = components["schemas"]["LedgerRecord"];

const ATTEMPTS = 5;

const preface = `flashfarm-proof 1
# What the record of a daemon that programs boards says of one serial, with proof that it says so.
# Lines are a word and its values with one tab between them:
#   serial    of the unit
#   key       ORIGIN+KEYID+KEY of the Ed25519 key that signs (C2SP signed-note, a verifier key)
#   record    sequence, UTC and monotonic time in microseconds, clock, boot id, kind, hash, body
#   previous  the hash of the record before it
#   path      a hash of the way from the record to the root, the lowest first (RFC 6962, 2.1.1)
#   note      behind it stands the signed checkpoint (C2SP tlog-checkpoint)
# hash = SHA-256(previous, sequence LF utc LF monotonic LF clock LF boot LF kind LF body), in hexadecimal
# digits here and 32 bytes there. It is the data of leaf (sequence - 1) of the tree.
# \`flashfarm audit check FILE --public-key KEY\` checks all of this.
`;

/** "2026-11-21T12:25:00.123456Z" as the number that was hashed */
export function utcMicroseconds(utc: string): number {
  const match = /^(.{19})\.([0-9]{6})Z$/.exec(utc);
  if (!match) throw new Problem(0, "The daemon's answer is not a record", utc);
  return Date.parse(`${match[1]}Z`) * 1000 + Number(match[2]);
}

function line(word: string, ...values: (string | number)[]): string {
  const texts = values.map(String);
  const strange = texts.some((text) => /[\t\n]/.test(text));
  if (strange) throw new Problem(0, "No proof can be made", `${word} has a tab in it`);
  return `${[word, ...texts].join("\t")}\n`;
}

function recordLine(record: LedgerRecord): string {
  const { sequence, utc, monotonic_us, clock, boot, kind, hash, canonical } = record;
  return line("record", sequence, utcMicroseconds(utc), monotonic_us, clock, boot, kind, hash, canonical);
}

export function proofText(serial: string, key: string, proofs: readonly Proof[]): string {
  const records = proofs.map((proof) =>
    [
      recordLine(proof.record),
      line("previous", proof.previous_hash),
      ...proof.hashes.map((hash) => line("path", hash)),
    ].join(""),
  );
  return `${preface}${line("serial", serial)}${line("key", key)}${records.join("")}note\n${proofs[0]?.note ?? ""}`;
}

function names(run: Run, serial: string): boolean {
  return run.serial === serial || (run.numbers ?? []).some((number) => number.text === serial);
}

function sequencesOf(unit: Unit, serial: string): number[] {
  const runs = unit.runs.filter((run) => names(run, serial));
  return runs.flatMap((run) => run.records ?? []).sort((a, b) => a - b);
}

/** All against one and the same checkpoint; null when a newer one came in between. */
async function proofsOf(sequences: readonly number[]): Promise<Proof[] | null> {
  const proofs: Proof[] = [];
  for (const sequence of sequences) {
    const proof = await answer(client.GET("/v1/ledger/proof", { params: { query: { sequence } } }));
    if (proofs[0] && proofs[0].note !== proof.note) return null;
    proofs.push(proof);
  }
  return proofs;
}

/** Makes a checkpoint over all that there is, and proves the records of the serial's runs against it. */
export async function proofOf(serial: string): Promise<string> {
  const unit = await answer(client.GET("/v1/units/{serial}", { params: { path: { serial } } }));
  const sequences = sequencesOf(unit, serial);
  if (!sequences.length) throw new Problem(0, "No proof can be made", `No run has the serial ${serial}.`);
  const key = (await answer(client.GET("/v1/ledger/key", { parseAs: "text" }))).trimEnd();
  await answer(client.POST("/v1/ledger/checkpoint", { parseAs: "text" }));
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const proofs = await proofsOf(sequences);
    if (proofs) return proofText(serial, key, proofs);
  }
  throw new Problem(0, "No proof can be made", "Checkpoints come faster than proofs; try again.");
}

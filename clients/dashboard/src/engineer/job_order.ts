// SPDX-License-Identifier: Apache-2.0
/* The order form: what was put in, the order that it makes, and sending it so that it is never made twice. It stays as it
 * is while other pages are looked at, and when a request fails. */
import { effect, signal } from "@preact/signals";
import { type DryRun, type Job, type JobOrder, Problem, answer, asProblem, client } from "../core/api";
import { caller, may } from "../core/session";

export interface Order {
  kind: "recipe" | "image";
  /** NAME/VERSION */
  recipe: string;
  chip: string;
  image: string;
  serial_pool: string;
  all: boolean;
  stations: string[];
  quantity: string;
  work_order: string;
  trigger: NonNullable<JobOrder["trigger"]>;
  hold_after_failures: string;
  rework: string;
  /** a JSON list, as the MES would send it */
  units: string;
}

const empty: Order = {
  kind: "recipe",
  recipe: "",
  chip: "",
  image: "",
  serial_pool: "",
  all: true,
  stations: [],
  quantity: "",
  work_order: "",
  trigger: "immediate",
  hold_after_failures: "",
  rework: "",
  units: "",
};

export const order = signal<Order>(empty);
/** what the last dry run said, and of which order */
export const dryRun = signal<{ body: string; said: DryRun } | null>(null);
/** an order that was sent and not answered: it may have been taken */
export const unanswered = signal<{ key: string; body: JobOrder } | null>(null);

/* One's order is nobody else's. */
let orderer = "";
effect(() => {
  const name = caller.value?.name ?? "";
  if (name && orderer && name !== orderer) startOver();
  if (name) orderer = name;
});

export function startOver(): void {
  order.value = empty;
  dryRun.value = null;
  unanswered.value = null;
}

export function put(members: Partial<Order>): void {
  order.value = { ...order.value, ...members };
}

/** Whether the caller may order what no recipe says. */
export function mayOrderFreely(): boolean {
  return may("createRecipe");
}

function unitsOf(text: string): Pick<JobOrder, "units"> {
  if (!text.trim()) return {};
  try {
    return { units: JSON.parse(text) as NonNullable<JobOrder["units"]> };
  } catch (thrown) {
    throw new Problem(0, "Not sent", `units: ${thrown instanceof Error ? thrown.message : String(thrown)}`);
  }
}

function whatOf(from: Order): JobOrder {
  if (from.kind === "recipe") return { recipe: from.recipe };
  return { chip: from.chip, images: [from.image], ...(from.serial_pool && { serial_pool: from.serial_pool }) };
}

/** The body of the order, as the form has it. Throws a Problem for units that are no JSON. */
export function bodyOf(from: Order): JobOrder {
  return {
    ...whatOf(from),
    stations: from.all ? "all" : from.stations,
    trigger: from.trigger,
    ...(from.quantity && { quantity: Number(from.quantity) }),
    ...(from.work_order.trim() && { work_order: from.work_order.trim() }),
    ...(from.hold_after_failures && { hold_after_failures: Number(from.hold_after_failures) }),
    ...(from.rework.trim() && { rework: from.rework.trim() }),
    ...unitsOf(from.units),
  };
}

/** Whether the last dry run was of what the form has now. */
export function isTried(from: Order): boolean {
  try {
    return dryRun.value?.body === JSON.stringify(bodyOf(from));
  } catch {
    return false;
  }
}

export async function tryIt(): Promise<void> {
  const body = bodyOf(order.value);
  const said = await answer(client.POST("/v1/jobs", { body: { ...body, dry_run: true } }));
  dryRun.value = { body: JSON.stringify(body), said: said as DryRun };
}

/* crypto.randomUUID() is only there on pages by TLS or from the own host. */
function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  const digits = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return typeof crypto.randomUUID === "function" ? crypto.randomUUID() : digits;
}

/* What says for certain that nothing was ordered; a conflict means that the first sending is still worked on. */
function isRefusal(problem: Problem): boolean {
  return problem.status >= 400 && problem.status < 500 && problem.status !== 409 && problem.status !== 429;
}

/** Sends the order, or again the one that was not answered: under the same key, so that it is ordered once. */
export async function submit(): Promise<Job> {
  const sent = unanswered.value ?? { key: newKey(), body: bodyOf(order.value) };
  unanswered.value = sent;
  try {
    const params = { header: { "Idempotency-Key": sent.key } };
    const job = (await answer(client.POST("/v1/jobs", { params, body: sent.body }))) as Job;
    unanswered.value = null;
    dryRun.value = null;
    return job;
  } catch (thrown) {
    if (isRefusal(asProblem(thrown))) unanswered.value = null;
    throw thrown;
  }
}

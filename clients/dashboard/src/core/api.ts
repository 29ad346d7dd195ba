// SPDX-License-Identifier: Apache-2.0
/* The daemon's REST interface (schema/openapi.yaml), typed by it. A request that is refused throws a Problem. */
import createClient from "openapi-fetch";
import type { components, paths } from "../generated/contract";

type Schemas = components["schemas"];
export type Board = Schemas["Board"];
export type Caller = Schemas["Caller"];
export type Chip = Schemas["Chip"];
export type DryRun = Schemas["DryRun"];
export type Finding = Schemas["Finding"];
export type Image = Schemas["Image"];
export type Job = Schemas["Job"];
export type JobOrder = Schemas["JobOrder"];
export type Pool = Schemas["Pool"];
export type Port = Schemas["Port"];
export type Progress = Schemas["Progress"];
export type Recipe = Schemas["Recipe"];
export type RecipeOrder = Schemas["RecipeOrder"];
export type Run = Schemas["Run"];
export type RunBrief = Schemas["RunBrief"];
export type Station = Schemas["Station"];
export type Unit = Schemas["Unit"];
export type Outcome = Schemas["Outcome"];

export const client = createClient<paths, "application/json">({ baseUrl: "" });

/** What the daemon said (RFC 9457), or why it could not be asked (status 0). */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly title: string,
    readonly detail: string,
  ) {
    super(detail || title);
    this.name = "Problem";
  }
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

export function problemOf(status: number, body: unknown): Problem {
  const said = (typeof body === "object" && body !== null ? body : {}) as Record<string, unknown>;
  return new Problem(status, text(said.title) || `status ${status}`, text(said.detail));
}

/** Any thrown thing as a Problem. */
export function asProblem(thrown: unknown): Problem {
  return thrown instanceof Problem ? thrown : new Problem(0, "The daemon cannot be reached", String(thrown));
}

const listeners = new Set<() => void>();

/** Is told when the daemon no longer knows who asks. */
export function onUnauthorized(listener: () => void): void {
  listeners.add(listener);
}

export function tellUnauthorized(): void {
  for (const listener of listeners) listener();
}

/** The data of an answer: `await answer(client.GET("/v1/stations"))`. */
export async function answer<T>(asked: Promise<{ data?: T; error?: unknown; response: Response }>): Promise<T> {
  let result;
  try {
    result = await asked;
  } catch (thrown) {
    throw asProblem(thrown);
  }
  if (result.response.ok) return result.data as T;
  if (result.response.status === 401) tellUnauthorized();
  throw problemOf(result.response.status, result.error);
}

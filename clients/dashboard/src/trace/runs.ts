// SPDX-License-Identifier: Apache-2.0
/* Lists of runs. The interface can answer them as CSV too, so their type has to be said. */
import { type RunBrief, answer, client } from "../core/api";
import type { operations } from "../generated/contract";

export type RunQuery = Omit<NonNullable<operations["listRuns"]["parameters"]["query"]>, "brief" | "format">;

export interface RunPage {
  items: RunBrief[];
  next: string | number | null;
}

export async function runsThat(query: RunQuery): Promise<RunPage> {
  const asked = client.GET("/v1/runs", { params: { query: { ...query, brief: "true" } } });
  return (await answer(asked)) as RunPage;
}

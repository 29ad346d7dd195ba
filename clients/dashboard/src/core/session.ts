// SPDX-License-Identifier: Apache-2.0
/* Who looks at the page, and what he may. What a role may not do is not offered; the daemon refuses it anyway. */
import { computed, signal } from "@preact/signals";
import { operationRoles } from "../generated/roles";
import { type Caller, Problem, answer, asProblem, client, onUnauthorized } from "./api";

/** undefined: not known yet; null: nobody has logged in */
export const caller = signal<Caller | null | undefined>(undefined);
/** the daemon no longer knows who was logged in here */
export const sessionLost = signal(false);
export const unreachable = signal<Problem | null>(null);

export type Operation = keyof typeof operationRoles;

/** Whether the caller holds a role that the operation (an operationId of the contract) asks for. Reads a signal. */
export function may(operation: Operation): boolean {
  const allowed: readonly string[] = operationRoles[operation];
  return (caller.value?.roles ?? []).some((role) => allowed.includes(role));
}

export const isLoggedIn = computed(() => caller.value != null);

onUnauthorized(() => {
  if (caller.value) sessionLost.value = true;
  caller.value = null;
});

export async function whoAmI(): Promise<void> {
  try {
    caller.value = await answer(client.GET("/v1/session"));
    unreachable.value = null;
  } catch (thrown) {
    const problem = asProblem(thrown);
    if (problem.status === 401) caller.value = null;
    else unreachable.value = problem;
  }
}

export async function logIn(name: string, password: string): Promise<void> {
  caller.value = await answer(client.POST("/v1/session", { body: { name, password } }));
  sessionLost.value = false;
}

export async function logOut(): Promise<void> {
  try {
    await answer(client.DELETE("/v1/session"));
  } finally {
    caller.value = null;
  }
}

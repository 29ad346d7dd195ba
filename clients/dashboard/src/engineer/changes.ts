// SPDX-License-Identifier: Apache-2.0
/* Goes up when the record has a new fact of that kind, so that what is shown of it is asked for again. */
import { effect, signal } from "@preact/signals";
import { lastFact } from "../core/farm";

export const imageChanges = signal(0);
export const poolChanges = signal(0);
/** the last change of a recipe that was told */
export const recipeChange = signal<{ sequence: number; name: string; version: number; by: string } | null>(null);

/** Tells what was changed here, before the event stream does. */
export function tellRecipe(recipe: { name: string; version: number; fact: number; by?: string }): void {
  recipeChange.value = { sequence: recipe.fact, name: recipe.name, version: recipe.version, by: recipe.by ?? "" };
}

interface RecipeFact {
  name?: string;
  version?: number;
  by?: string;
}

effect(() => {
  const fact = lastFact.value;
  if (!fact || fact.sequence === null) return;
  if (fact.kind.startsWith("image.")) imageChanges.value = fact.sequence;
  else if (fact.kind.startsWith("pool.")) poolChanges.value = fact.sequence;
  else if (fact.kind.startsWith("recipe.")) {
    const body = fact.body as RecipeFact;
    recipeChange.value = {
      sequence: fact.sequence,
      name: body.name ?? "",
      version: body.version ?? 0,
      by: body.by ?? "",
    };
  }
});

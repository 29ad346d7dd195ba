// SPDX-License-Identifier: Apache-2.0
import { useState } from "preact/hooks";
import { type Recipe, answer, client } from "../core/api";
import { clockTime } from "../core/format";
import { to } from "../core/router";
import { Empty, Panel, ProblemNote } from "../ui/parts";
import { recipeChange } from "./changes";
import { Select, TextBox } from "./controls";
import { Pager, StateBadge, day, usePages } from "./parts";
import { edits, keyOf, newKey } from "./recipe_model";

const PAGE = 50;
type State = "draft" | "released" | "retired";

function isState(text: string): text is State {
  return text === "draft" || text === "released" || text === "retired";
}

function RecipeRow({ recipe, chosen }: { recipe: Recipe; chosen: boolean }) {
  const query = { name: recipe.name, version: String(recipe.version) };
  const when = recipe.released ?? recipe.created;
  return (
    <tr class={chosen ? "chosen" : undefined}>
      <th scope="row">
        <a href={to("engineer/recipes", query)} aria-current={chosen ? "true" : undefined}>
          {keyOf(recipe)}
        </a>
        <small>{String(recipe.content.chip ?? "")}</small>
        {edits.value[keyOf(recipe)] ? <small class="unsaved">not saved</small> : null}
      </th>
      <td>
        <StateBadge state={recipe.state} />
      </td>
      <td class="no-break">
        {day(when)}
        <small>{clockTime(when)}</small>
      </td>
    </tr>
  );
}

/** Recipes that were begun and have no version yet. */
function Unsaved() {
  const begun = Object.entries(edits.value).filter(([key]) => key.startsWith(newKey("")));
  return (
    <>
      {begun.map(([key, edit]) => (
        <p class="note" key={key}>
          <a href={to("engineer/recipes", { new: key.slice(newKey("").length) })}>{edit.name || "A new recipe"}</a> has
          not been saved yet.
        </p>
      ))}
    </>
  );
}

export function RecipeList({ chosen }: { chosen: string }) {
  const [name, setName] = useState("");
  const [state, setState] = useState("");
  const pages = usePages(
    (cursor) => {
      const query = {
        limit: PAGE,
        ...(name.trim() && { name: name.trim() }),
        ...(isState(state) && { state }),
        ...(cursor && { cursor }),
      };
      return answer(client.GET("/v1/recipes", { params: { query } }));
    },
    [name.trim(), state],
    recipeChange.value?.sequence,
  );
  return (
    <Panel title="Recipes, newest first" actions={<Pager pages={pages} what="recipes" />}>
      <div class="filters">
        <TextBox label="Name" type="search" hint="the whole name" value={name} onValue={setName} />
        <Select label="State" value={state} onValue={setState}>
          <option value="">all</option>
          <option value="draft">draft</option>
          <option value="released">released</option>
          <option value="retired">retired</option>
        </Select>
      </div>
      <ProblemNote problem={pages.problem} />
      <Unsaved />
      {pages.items?.length === 0 ? <Empty>None.</Empty> : null}
      {pages.items?.length ? (
        <table>
          <thead>
            <tr>
              <th scope="col">Recipe</th>
              <th scope="col">State</th>
              <th scope="col">Since</th>
            </tr>
          </thead>
          <tbody>
            {pages.items.map((recipe) => (
              <RecipeRow key={keyOf(recipe)} recipe={recipe} chosen={keyOf(recipe) === chosen} />
            ))}
          </tbody>
        </table>
      ) : null}
    </Panel>
  );
}

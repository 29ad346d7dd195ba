// SPDX-License-Identifier: Apache-2.0
/* Recipes: build, lint, release, retire; and the serial pools that they take numbers from. */
import { go, route } from "../core/router";
import { may } from "../core/session";
import { Empty, Panel } from "../ui/parts";
import "./engineer.css";
import { Pools } from "./pools";
import { RecipeEditor } from "./recipe_editor";
import { RecipeList } from "./recipe_list";
import { type Edit, edits, newKey } from "./recipe_model";
import { RecipeView } from "./recipe_view";

/** What a link to a new recipe brings along. */
function fresh(query: URLSearchParams): Edit {
  const chip = query.get("chip");
  const image = query.get("image");
  const content = { ...(chip && { chip }), ...(image && { images: [image] }) };
  return { base: null, name: "", content, text: null, trouble: "" };
}

function NewRecipe({ source }: { source: string }) {
  const key = newKey(source);
  const begun = edits.value[key];
  const edit = begun ?? fresh(route.value.query);
  return (
    <RecipeEditor
      title="A new recipe, or the next version of one"
      editKey={key}
      edit={edit}
      dirty={begun !== undefined || Object.keys(edit.content).length > 0}
      locked={false}
    />
  );
}

function Shown() {
  const query = route.value.query;
  const name = query.get("name") ?? "";
  const version = Number(query.get("version"));
  const source = query.get("new");
  if (source && may("createRecipe")) return <NewRecipe key={source} source={source} />;
  if (name && version > 0) return <RecipeView key={`${name}/${version}`} name={name} version={version} />;
  return (
    <Panel title="Recipe">
      <Empty>Choose a recipe from the list, or build a new one.</Empty>
    </Panel>
  );
}

export function RecipesPage() {
  const query = route.value.query;
  const chosen = query.get("name") ? `${query.get("name")}/${query.get("version")}` : "";
  return (
    <div class="engineer">
      <div class="page-head">
        <h1>Recipes</h1>
        {may("createRecipe") ? (
          <button type="button" class="primary" onClick={() => go("engineer/recipes", { new: "1" })}>
            New recipe
          </button>
        ) : null}
      </div>
      <div class="list-detail">
        <div>
          <RecipeList chosen={chosen} />
          <Pools />
        </div>
        <Shown />
      </div>
    </div>
  );
}

// SPDX-License-Identifier: Apache-2.0
/* What is ordered: a recipe, or chip and image as they are. */
import { type Image, type Recipe, answer, client } from "../core/api";
import { short } from "../core/format";
import { useAnswer } from "../ui/parts";
import { imageChanges, poolChanges } from "./changes";
import { Select } from "./controls";
import { mayOrderFreely, order, put } from "./job_order";
import { ChipOptions, useChips } from "./parts";
import { keyOf } from "./recipe_model";

const CHOICES = 200; // the newest of each kind that the form offers

function RecipeGroup({ label, recipes }: { label: string; recipes: Recipe[] }) {
  if (!recipes.length) return null;
  return (
    <optgroup label={label}>
      {recipes.map((recipe) => (
        <option key={keyOf(recipe)} value={keyOf(recipe)}>
          {keyOf(recipe)} · {String(recipe.content.chip ?? "")}
        </option>
      ))}
    </optgroup>
  );
}

/* Operators order what is released; who builds recipes may try his drafts. */
export async function askRecipes(): Promise<Recipe[]> {
  const states = mayOrderFreely() ? (["released", "draft"] as const) : (["released"] as const);
  const lists = await Promise.all(
    states.map((state) => answer(client.GET("/v1/recipes", { params: { query: { state, limit: CHOICES } } }))),
  );
  return lists.flatMap((list) => list.items);
}

/** The chip that the order is for; empty while nothing says it. */
export function chipOf(recipes: Recipe[]): string {
  const { kind, chip, recipe } = order.value;
  if (kind === "image") return chip;
  return String(recipes.find((one) => keyOf(one) === recipe)?.content.chip ?? "");
}

function RecipeChoice({ recipes }: { recipes: Recipe[] }) {
  const { recipe } = order.value;
  const known = !recipe || recipes.some((one) => keyOf(one) === recipe);
  return (
    <Select
      label="Recipe"
      name="recipe"
      hint={mayOrderFreely() ? "released, or a draft to be tried" : "released ones"}
      required
      value={recipe}
      onValue={(text) => put({ recipe: text })}
    >
      <option value="">choose…</option>
      {known ? null : <option value={recipe}>{recipe}</option>}
      <RecipeGroup label="released" recipes={recipes.filter((one) => one.state === "released")} />
      <RecipeGroup label="drafts" recipes={recipes.filter((one) => one.state === "draft")} />
    </Select>
  );
}

function imageLabel(image: Image): string {
  return `${image.name ?? "(no name)"} · ${short(image.id)} · ${image.format}`;
}

function FreeChoice() {
  const { chips } = useChips();
  const query = { limit: CHOICES };
  const images = useAnswer(() => answer(client.GET("/v1/images", { params: { query } })), [imageChanges.value]);
  const pools = useAnswer(() => answer(client.GET("/v1/serial-pools", { params: { query } })), [poolChanges.value]);
  const { chip, image, serial_pool } = order.value;
  return (
    <>
      <Select label="Chip" name="chip" required value={chip} onValue={(text) => put({ chip: text })}>
        <option value="">choose…</option>
        <ChipOptions chips={chips} />
      </Select>
      <Select
        label="Image"
        name="images"
        hint="newest first"
        required
        value={image}
        onValue={(id) => put({ image: id })}
      >
        <option value="">choose…</option>
        {image && !images.value?.items.some((one) => one.id === image) ? (
          <option value={image}>{short(image)}</option>
        ) : null}
        {images.value?.items.map((one) => (
          <option key={one.id} value={one.id}>
            {imageLabel(one)}
          </option>
        ))}
      </Select>
      <Select
        label="Serial pool"
        name="serial_pool"
        hint="where each unit's serial comes from"
        value={serial_pool}
        onValue={(text) => put({ serial_pool: text })}
      >
        <option value="">none</option>
        {pools.value?.items.map((pool) => (
          <option key={pool.name} value={pool.name}>
            {pool.name} · {pool.left} left
          </option>
        ))}
      </Select>
    </>
  );
}

export function What({ recipes }: { recipes: Recipe[] }) {
  const { kind } = order.value;
  return (
    <fieldset class="rows">
      <legend>What</legend>
      {mayOrderFreely() ? (
        <div class="views" role="group" aria-label="What is ordered">
          <button type="button" aria-pressed={kind === "recipe"} onClick={() => put({ kind: "recipe" })}>
            A recipe
          </button>
          <button type="button" aria-pressed={kind === "image"} onClick={() => put({ kind: "image" })}>
            Chip and image
          </button>
        </div>
      ) : null}
      <div class="form">{kind === "recipe" ? <RecipeChoice recipes={recipes} /> : <FreeChoice />}</div>
    </fieldset>
  );
}

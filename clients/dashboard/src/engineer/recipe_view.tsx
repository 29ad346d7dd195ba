// SPDX-License-Identifier: Apache-2.0
/* One version of a recipe: its state, the lint, and what may be done with it. */
import { useState } from "preact/hooks";
import { type Recipe, answer, client } from "../core/api";
import { dateTime, short } from "../core/format";
import { go, to } from "../core/router";
import { caller, may } from "../core/session";
import { Icon } from "../ui/icons";
import { Panel, ProblemNote, useAnswer } from "../ui/parts";
import { recipeChange, tellRecipe } from "./changes";
import { TextBox } from "./controls";
import { Dialog, Findings, StateBadge, useAction } from "./parts";
import { RecipeEditor } from "./recipe_editor";
import { type Edit, editOf, edits, keyOf, matchOf, newKey, roundedNumber, setEdit } from "./recipe_model";

function Lint({ recipe }: { recipe: Recipe }) {
  const path = { name: recipe.name, version: recipe.version };
  const asked = useAnswer(
    () => answer(client.GET("/v1/recipes/{name}/{version}/lint", { params: { path } })),
    [keyOf(recipe), recipe.fact],
  );
  return (
    <Panel title="Lint, of what is saved">
      <ProblemNote problem={asked.problem} />
      {asked.value ? <Findings findings={asked.value.findings} of={keyOf(recipe)} /> : null}
    </Panel>
  );
}

type Move = "release" | "retire";

const moves = {
  release: {
    title: "Release",
    text: "A released version never changes, and is what operators and the MES may order.",
    path: "/v1/recipes/{name}/{version}/release",
  },
  retire: {
    title: "Retire",
    text: "No more orders are taken for a retired version. Jobs that have begun go on.",
    path: "/v1/recipes/{name}/{version}/retire",
  },
} as const;

function MoveDialog({
  recipe,
  move,
  onDone,
  onClose,
  onStale,
}: {
  recipe: Recipe;
  move: Move;
  onDone: (recipe: Recipe) => void;
  onClose: () => void;
  onStale: () => void;
}) {
  const [reason, setReason] = useState("");
  const action = useAction();
  const { title, text, path } = moves[move];

  async function confirm() {
    await action.run(async () => {
      const params = { path: { name: recipe.name, version: recipe.version }, header: { "If-Match": matchOf(recipe) } };
      const body = reason.trim() ? { reason: reason.trim() } : {};
      try {
        const moved = await answer(client.POST(path, { params, body }));
        tellRecipe({ ...moved, by: caller.value?.name ?? "" });
        onDone(moved);
      } catch (thrown) {
        if ((thrown as { status?: number }).status === 412) onStale();
        throw thrown;
      }
    });
  }

  return (
    <Dialog
      title={`${title} ${keyOf(recipe)}?`}
      confirm={title}
      busy={action.busy}
      problem={action.problem}
      onConfirm={() => void confirm()}
      onClose={onClose}
    >
      <p>{text}</p>
      <TextBox
        label="Reason"
        hint="kept on the record, such as “review 12”"
        maxLength={1000}
        value={reason}
        onValue={setReason}
      />
    </Dialog>
  );
}

function newVersion(recipe: Recipe): void {
  const key = newKey(keyOf(recipe));
  if (!edits.value[key]) setEdit(key, { ...editOf(recipe), base: null });
  go("engineer/recipes", { new: keyOf(recipe) });
}

function Actions({ recipe, dirty, onMove }: { recipe: Recipe; dirty: boolean; onMove: (move: Move) => void }) {
  return (
    <div class="buttons">
      {recipe.state !== "retired" && may("submitJob") ? (
        <a class="like-button" href={to("engineer/jobs", { recipe: keyOf(recipe) })}>
          Order boards
        </a>
      ) : null}
      {may("createRecipe") ? (
        <button type="button" onClick={() => newVersion(recipe)}>
          New version from this
        </button>
      ) : null}
      {recipe.state === "released" && may("retireRecipe") ? (
        <button type="button" onClick={() => onMove("retire")}>
          Retire…
        </button>
      ) : null}
      {recipe.state === "draft" && may("releaseRecipe") ? (
        <button
          type="button"
          class={dirty ? "" : "primary"}
          disabled={dirty}
          title={dirty ? "save or discard your changes first" : undefined}
          onClick={() => onMove("release")}
        >
          Release…
        </button>
      ) : null}
    </div>
  );
}

function Facts({ recipe }: { recipe: Recipe }) {
  return (
    <dl class="about">
      <dt>Saved</dt>
      <dd>
        {dateTime(recipe.created)} by {recipe.by ?? "–"}
      </dd>
      {recipe.released ? (
        <>
          <dt>Released</dt>
          <dd>
            {dateTime(recipe.released)} by {recipe.released_by ?? "–"}
          </dd>
        </>
      ) : null}
      {recipe.reason ? (
        <>
          <dt>Reason</dt>
          <dd>{recipe.reason}</dd>
        </>
      ) : null}
      <dt>Hash</dt>
      <dd class="mono" title={recipe.hash}>
        {short(recipe.hash)}
      </dd>
    </dl>
  );
}

/** The members that two contents have not in common. */
function differences(one: Record<string, unknown>, other: Record<string, unknown>): string[] {
  const names = new Set([...Object.keys(one), ...Object.keys(other)]);
  return [...names].filter((name) => JSON.stringify(one[name]) !== JSON.stringify(other[name]));
}

/** Tells that the version is no longer what was read, and lets one choose. */
function Changed({
  seen,
  now,
  edit,
  onReload,
}: {
  seen: Recipe;
  now: Recipe | null;
  edit: Edit | undefined;
  onReload: () => void;
}) {
  const what = now ? differences(seen.content as Record<string, unknown>, now.content as Record<string, unknown>) : [];
  const change = recipeChange.value;
  const by = (now?.state === "draft" ? now.by : now?.released_by) ?? change?.by;
  return (
    <div class="note note-bad" role="alert">
      <Icon name="warning" /> <strong>Somebody changed it:</strong> {by || "somebody else"} saved or moved {keyOf(seen)}{" "}
      after you had read it{now ? `; it is ${now.state === "draft" ? "a draft" : now.state} now` : ""}
      {what.length ? `. What differs: ${what.join(", ")}` : ""}. {edit ? "Your changes are still here." : ""}
      <div class="buttons">
        <button type="button" onClick={onReload}>
          {edit ? "Reload, and drop my changes" : "Reload"}
        </button>
        {edit && now?.state === "draft" ? (
          <button type="button" onClick={() => setEdit(keyOf(seen), { ...edit, base: now })}>
            Keep mine, to be saved over it
          </button>
        ) : null}
      </div>
    </div>
  );
}

/** Watches whether the record has a newer fact of this version than the one that is shown. */
function useNewer(seen: Recipe | null, stale: number): Recipe | null {
  const change = recipeChange.value;
  const same = seen && change?.name === seen.name && change.version === seen.version;
  const others = same && change.by !== caller.value?.name; // one's own are answered to who made them
  const told = others && change.sequence > seen.fact ? change.sequence : 0;
  const asked = useAnswer(async () => {
    if (!seen || (!told && !stale)) return null;
    const path = { name: seen.name, version: seen.version };
    return answer(client.GET("/v1/recipes/{name}/{version}", { params: { path } }));
  }, [seen?.fact, told, stale]);
  return asked.value && seen && asked.value.fact > seen.fact ? asked.value : null;
}

export function RecipeView({ name, version }: { name: string; version: number }) {
  const loaded = useAnswer(
    () => answer(client.GET("/v1/recipes/{name}/{version}", { params: { path: { name, version } } })),
    [name, version],
  );
  const [later, setLater] = useState<Recipe | null>(null);
  const [move, setMove] = useState<Move | null>(null);
  const [stale, setStale] = useState(0);
  const read = [later, loaded.value].find((one) => one?.name === name && one.version === version) ?? null;
  const key = `${name}/${version}`;
  const edit = edits.value[key];
  const seen = edit?.base ?? read;
  const newer = useNewer(seen, stale);

  function shown(recipe: Recipe | null) {
    setLater(recipe);
    setMove(null);
    setStale(0);
  }

  function reload() {
    setEdit(key, null);
    shown(newer);
    if (!newer) loaded.again();
  }

  if (!seen) return <ProblemNote problem={loaded.problem} />;
  const locked = seen.state !== "draft" || !may("replaceRecipe") || roundedNumber(seen.content) !== null;
  return (
    <div>
      <Panel title={`${key}`} actions={<StateBadge state={seen.state} />}>
        <Facts recipe={seen} />
        {newer ? <Changed seen={seen} now={newer} edit={edit} onReload={reload} /> : null}
        <Actions recipe={seen} dirty={edit !== undefined} onMove={setMove} />
      </Panel>
      <Lint recipe={seen} />
      <RecipeEditor
        key={key}
        title={locked ? "What it says" : "What it says, to be changed while it is a draft"}
        editKey={key}
        edit={edit ?? editOf(seen)}
        dirty={edit !== undefined}
        locked={locked}
        onSaved={shown}
        onStale={() => setStale((count) => count + 1)}
      />
      {move ? (
        <MoveDialog
          recipe={seen}
          move={move}
          onDone={shown}
          onClose={() => setMove(null)}
          onStale={() => setStale((count) => count + 1)}
        />
      ) : null}
    </div>
  );
}

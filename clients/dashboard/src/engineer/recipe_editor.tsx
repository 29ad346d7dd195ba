// SPDX-License-Identifier: Apache-2.0
/* A recipe under the hands of an engineer: as a form and as JSON, two views of the same members. */
import { useState } from "preact/hooks";
import { type Recipe, answer, client } from "../core/api";
import { go } from "../core/router";
import { caller } from "../core/session";
import { Icon } from "../ui/icons";
import { Panel, ProblemNote, useAnswer } from "../ui/parts";
import { imageChanges, poolChanges, tellRecipe } from "./changes";
import { FormProblem, TextArea, TextBox } from "./controls";
import { type Action, useAction, useChips } from "./parts";
import { RecipeForm } from "./recipe_form";
import { type Edit, save, setEdit, textOf, withMember, withText } from "./recipe_model";

const NAME = "[A-Za-z0-9_\\-][A-Za-z0-9._\\-]{0,62}";
const CHOICES = 200; // the newest images that the form offers

function useChoices() {
  const { chips } = useChips();
  const images = useAnswer(
    () => answer(client.GET("/v1/images", { params: { query: { limit: CHOICES } } })),
    [imageChanges.value],
  );
  const pools = useAnswer(
    () => answer(client.GET("/v1/serial-pools", { params: { query: { limit: CHOICES } } })),
    [poolChanges.value],
  );
  return {
    chips,
    images: images.value?.items ?? [],
    pools: (pools.value?.items ?? []).map((pool) => pool.name),
    problem: images.problem ?? pools.problem,
  };
}

function JsonView({ edit, change, locked }: { edit: Edit; change: (edit: Edit) => void; locked: boolean }) {
  return (
    <>
      <TextArea
        label="The recipe as JSON"
        hint="as in the file of “flashfarm recipe NAME save FILE”, with images by their SHA-256"
        rows={24}
        mono
        value={textOf(edit)}
        disabled={locked}
        onValue={(text) => change(withText(edit, text))}
      />
      {edit.trouble ? (
        <p class="note note-bad" role="status">
          <Icon name="warning" /> <strong>This cannot be read.</strong> {edit.trouble}
        </p>
      ) : null}
    </>
  );
}

function Views({ view, setView }: { view: string; setView: (view: string) => void }) {
  return (
    <div class="views" role="group" aria-label="View of the recipe">
      {["form", "JSON"].map((one) => (
        <button key={one} type="button" aria-pressed={view === one} onClick={() => setView(one)}>
          {one === "form" ? "Form" : "JSON"}
        </button>
      ))}
    </div>
  );
}

function SaveButtons({
  edit,
  dirty,
  action,
  onDiscard,
}: {
  edit: Edit;
  dirty: boolean;
  action: Action;
  onDiscard: () => void;
}) {
  const label = edit.base ? `Save ${edit.base.name}/${edit.base.version}` : "Save as a draft";
  return (
    <div class="buttons sticky">
      {dirty ? <span class="unsaved">not saved</span> : null}
      <button type="button" disabled={!dirty || action.busy} onClick={onDiscard}>
        Discard
      </button>
      <button type="submit" class="primary" disabled={!dirty || action.busy || edit.trouble !== ""}>
        {label}
      </button>
    </div>
  );
}

export interface EditorProps {
  editKey: string;
  edit: Edit;
  /** it differs from what is saved */
  dirty: boolean;
  /** to be looked at only */
  locked: boolean;
  onSaved?(recipe: Recipe): void;
  /** somebody else changed it meanwhile */
  onStale?(): void;
  title: string;
}

export function RecipeEditor({ editKey, edit, dirty, locked, onSaved, onStale, title }: EditorProps) {
  const [view, setView] = useState("form");
  const choices = useChoices();
  const action = useAction();
  const change = (changed: Edit) => setEdit(editKey, changed);

  async function submit() {
    let saved: Recipe | null = null;
    const done = await action.run(async () => {
      saved = await save(edit).catch((thrown: { status?: number }) => {
        if (thrown.status === 412) onStale?.();
        throw thrown;
      });
    });
    if (!done || !saved) return;
    took(saved);
  }

  function took(saved: Recipe) {
    setEdit(editKey, null);
    tellRecipe({ ...saved, by: caller.value?.name ?? "" });
    onSaved?.(saved);
    if (!edit.base) go("engineer/recipes", { name: saved.name, version: String(saved.version) });
  }

  function discard() {
    setEdit(editKey, null);
    action.clear();
    if (!edit.base) go("engineer/recipes");
  }

  return (
    <FormProblem.Provider value={action.problem}>
      <form
        class="recipe-editor"
        aria-label="Recipe"
        onSubmit={(event) => {
          event.preventDefault();
          void submit();
        }}
      >
        <Panel title={title} actions={<Views view={view} setView={setView} />}>
          {edit.base ? null : (
            <div class="form name-row">
              <TextBox
                label="Name"
                name="name"
                hint="letters, digits, “.”, “_”, “-”; the version is counted by the daemon"
                required
                value={edit.name}
                onValue={(name) => change({ ...edit, name })}
                pattern={NAME}
                title="1 to 63 letters, digits, “.”, “_” or “-”"
              />
            </div>
          )}
          <ProblemNote problem={choices.problem} />
          {view === "JSON" ? <JsonView edit={edit} change={change} locked={locked} /> : null}
          {view === "form" && edit.trouble ? (
            <p class="note note-bad">
              <Icon name="warning" /> The JSON view holds what cannot be read: {edit.trouble}. Correct it there first.
            </p>
          ) : null}
          {view === "form" ? (
            <fieldset class="plain" disabled={locked || edit.trouble !== ""}>
              <RecipeForm
                {...choices}
                content={edit.content}
                set={(member, value) => change(withMember(edit, member, value))}
              />
            </fieldset>
          ) : null}
          <ProblemNote problem={action.problem} />
          {locked ? null : <SaveButtons edit={edit} dirty={dirty} action={action} onDiscard={discard} />}
        </Panel>
      </form>
    </FormProblem.Provider>
  );
}

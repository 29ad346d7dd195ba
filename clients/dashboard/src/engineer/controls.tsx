// SPDX-License-Identifier: Apache-2.0
/* Form controls with their label, unit, hint, and what the daemon said of them, each tied to its control for readers. */
import { type ComponentChildren, createContext } from "preact";
import { useContext, useId } from "preact/hooks";
import type { Problem } from "../core/api";
import { Icon } from "../ui/icons";

/** The refusal of the form around a control: one that begins with the control's `name` is shown beside it as well. */
export const FormProblem = createContext<Problem | null>(null);

interface Common {
  label: string;
  name?: string;
  hint?: ComponentChildren;
  unit?: string;
  disabled?: boolean;
  required?: boolean;
  /** takes the whole row of a form */
  wide?: boolean;
  /** of a row of a table, where the column's head says it: for readers only */
  bare?: boolean;
}

function useRefusal(name: string | undefined): string | null {
  const problem = useContext(FormProblem);
  if (!name || !problem) return null;
  return problem.detail.startsWith(`${name}:`) || problem.detail.startsWith(`${name} is missing`)
    ? problem.detail
    : null;
}

interface Tied {
  id: string;
  refusal: string | null;
  about: string | undefined;
}

function useTied(common: Common): Tied {
  const id = useId();
  const refusal = useRefusal(common.name);
  const about = [common.hint ? `${id}-hint` : "", refusal ? `${id}-bad` : ""].filter(Boolean).join(" ");
  return { id, refusal, about: about || undefined };
}

function Around({ common, tied, children }: { common: Common; tied: Tied; children: ComponentChildren }) {
  return (
    <div class={`control${common.wide ? " whole" : ""}${common.bare ? " bare" : ""}${tied.refusal ? " refused" : ""}`}>
      <span class={common.bare ? "hidden" : "label-line"}>
        <label for={tied.id}>{common.label}</label>
        {common.required ? <small aria-hidden="true">needed</small> : null}
      </span>
      <span class="with-unit">
        {children}
        {common.unit ? <span class="unit">{common.unit}</span> : null}
      </span>
      {common.hint ? (
        <small id={`${tied.id}-hint`} class={common.bare ? "hidden" : undefined}>
          {common.hint}
        </small>
      ) : null}
      {tied.refusal ? (
        <small id={`${tied.id}-bad`} class="refusal">
          <Icon name="warning" /> {tied.refusal}
        </small>
      ) : null}
    </div>
  );
}

export interface TextProps extends Common {
  value: string;
  onValue(text: string): void;
  type?: "text" | "number" | "search";
  min?: number;
  max?: number;
  pattern?: string;
  /** what the pattern asks for, in words */
  title?: string;
  maxLength?: number;
  placeholder?: string;
  list?: string;
  mono?: boolean;
}

export function TextBox(props: TextProps) {
  const tied = useTied(props);
  return (
    <Around common={props} tied={tied}>
      <input
        id={tied.id}
        name={props.name}
        type={props.type ?? "text"}
        class={props.mono ? "mono" : undefined}
        value={props.value}
        onInput={(event) => props.onValue(event.currentTarget.value)}
        required={props.required}
        disabled={props.disabled}
        min={props.min}
        max={props.max}
        step={props.type === "number" ? 1 : undefined}
        pattern={props.pattern}
        title={props.title}
        maxLength={props.maxLength}
        placeholder={props.placeholder}
        list={props.list}
        autocomplete="off"
        spellcheck={false}
        aria-describedby={tied.about}
        aria-invalid={tied.refusal ? true : undefined}
      />
    </Around>
  );
}

export interface SelectProps extends Common {
  value: string;
  onValue(text: string): void;
  children: ComponentChildren;
}

export function Select(props: SelectProps) {
  const tied = useTied(props);
  return (
    <Around common={props} tied={tied}>
      <select
        id={tied.id}
        name={props.name}
        value={props.value}
        onChange={(event) => props.onValue(event.currentTarget.value)}
        required={props.required}
        disabled={props.disabled}
        aria-describedby={tied.about}
        aria-invalid={tied.refusal ? true : undefined}
      >
        {props.children}
      </select>
    </Around>
  );
}

export function TextArea(props: Common & { value: string; onValue(text: string): void; rows: number; mono?: boolean }) {
  const tied = useTied(props);
  return (
    <Around common={{ ...props, wide: true }} tied={tied}>
      <textarea
        id={tied.id}
        name={props.name}
        class={props.mono ? "mono" : undefined}
        rows={props.rows}
        value={props.value}
        onInput={(event) => props.onValue(event.currentTarget.value)}
        required={props.required}
        disabled={props.disabled}
        spellcheck={false}
        aria-describedby={tied.about}
        aria-invalid={tied.refusal ? true : undefined}
      />
    </Around>
  );
}

export function CheckBox(props: Common & { checked: boolean; onValue(checked: boolean): void }) {
  const tied = useTied(props);
  return (
    <div class={`control check${props.wide ? " whole" : ""}${props.bare ? " bare" : ""}`}>
      <label>
        <input
          type="checkbox"
          name={props.name}
          checked={props.checked}
          onChange={(event) => props.onValue(event.currentTarget.checked)}
          disabled={props.disabled}
          aria-describedby={tied.about}
        />{" "}
        <span class={props.bare ? "hidden" : undefined}>{props.label}</span>
      </label>
      {props.hint && !props.bare ? <small id={`${tied.id}-hint`}>{props.hint}</small> : null}
      {tied.refusal ? (
        <small id={`${tied.id}-bad`} class="refusal">
          <Icon name="warning" /> {tied.refusal}
        </small>
      ) : null}
    </div>
  );
}

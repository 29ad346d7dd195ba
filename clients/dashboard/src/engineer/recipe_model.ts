// SPDX-License-Identifier: Apache-2.0
/* A recipe under the hands of who builds it. Its members are kept as they are, whatever the form shows of them, so that
 * nothing is lost on the way through it. What was not saved stays here while other pages are looked at. */
import { effect, signal } from "@preact/signals";
import { type Image, type Recipe, type RecipeOrder, answer, client } from "../core/api";
import { caller } from "../core/session";
import type { Span } from "./flash_map";
import { spansOf } from "./image_detail";

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };
export type Members = Record<string, Json>;

export interface Edit {
  /** the version that it began with; null: it becomes a new version */
  base: Recipe | null;
  name: string;
  content: Members;
  /** as typed into the JSON view; null: as the form has it */
  text: string | null;
  /** why that text cannot be read */
  trouble: string;
}

/** The key of a recipe that has no version yet; `source` is what it was begun from, as the address says it. */
export function newKey(source: string): string {
  return `new ${source}`;
}

export const edits = signal<Record<string, Edit>>({});

/* What one person has not saved is nobody else's. */
let editor = "";
effect(() => {
  const name = caller.value?.name ?? "";
  if (name && editor && name !== editor) edits.value = {};
  if (name) editor = name;
});

export function keyOf(recipe: { name: string; version: number }): string {
  return `${recipe.name}/${recipe.version}`;
}

export function setEdit(key: string, edit: Edit | null): void {
  const others = { ...edits.value };
  delete others[key];
  edits.value = edit ? { ...others, [key]: edit } : others;
}

export function editOf(recipe: Recipe): Edit {
  return { base: recipe, name: recipe.name, content: recipe.content as Members, text: null, trouble: "" };
}

/** The edit with one member changed; `undefined` takes the member out. */
export function withMember(edit: Edit, name: string, value: Json | undefined): Edit {
  const content = withoutOr(edit.content, name, value);
  return { ...edit, content, text: null, trouble: "" };
}

/** The members with one changed, in the place that it has; `undefined` takes it out. */
export function withoutOr(members: Members, name: string, value: Json | undefined): Members {
  if (value !== undefined) return { ...members, [name]: value };
  const rest = { ...members };
  delete rest[name];
  return rest;
}

// --- the JSON view -----------------------------------------------------------------------------------------------

/** A whole number that this page cannot keep, if there is one: it would be rounded. */
export function roundedNumber(value: unknown): number | null {
  if (typeof value === "number") return Number.isInteger(value) && !Number.isSafeInteger(value) ? value : null;
  if (typeof value !== "object" || value === null) return null;
  for (const member of Object.values(value)) {
    const found = roundedNumber(member);
    if (found !== null) return found;
  }
  return null;
}

function troubleOf(value: unknown): string {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return "expected an object: { … }";
  const rounded = roundedNumber(value);
  if (rounded !== null) return `the number ${rounded} is too large to be kept here: give it as {"hex": "…"}`;
  return "";
}

/** The edit after somebody typed into the JSON view. A `name` among the members is the recipe's. */
export function withText(edit: Edit, text: string): Edit {
  let read: unknown;
  try {
    read = JSON.parse(text);
  } catch (thrown) {
    return { ...edit, text, trouble: thrown instanceof Error ? thrown.message : String(thrown) };
  }
  const trouble = troubleOf(read);
  if (trouble) return { ...edit, text, trouble };
  const { name, ...content } = read as Members;
  const renamed = typeof name === "string" && !edit.base ? name : edit.name;
  return { ...edit, name: renamed, content, text, trouble: "" };
}

export function textOf(edit: Edit): string {
  return edit.text ?? JSON.stringify(edit.content, null, 2);
}

// --- reading members ---------------------------------------------------------------------------------------------

export function textIn(members: Members, name: string): string {
  const value = members[name];
  return typeof value === "string" ? value : typeof value === "number" ? String(value) : "";
}

/** The objects of a list; what is none stays in its place as an empty one to look at. */
export function objectsIn(members: Members, name: string): Members[] {
  const value = members[name];
  if (!Array.isArray(value)) return [];
  return value.map((item) => (typeof item === "object" && item !== null && !Array.isArray(item) ? item : {}));
}

export function textsIn(members: Members, name: string): string[] {
  const value = members[name];
  return Array.isArray(value) ? value.filter((item) => typeof item === "string") : [];
}

/** An address as people read it: numbers in hexadecimal. */
export function addressText(value: Json | undefined): string {
  if (typeof value === "number") return `0x${value.toString(16).padStart(8, "0")}`;
  return typeof value === "string" ? value : "";
}

export function addressNumber(value: Json | undefined): number | null {
  if (typeof value === "number") return value;
  if (typeof value === "string" && /^0x[0-9a-f]{1,8}$/i.test(value)) return Number(value);
  return null;
}

/** What was typed as an address: decimal numbers as numbers, as the daemon takes them, all else as text. */
export function addressOf(text: string): Json {
  return /^[0-9]{1,10}$/.test(text) ? Number(text) : text;
}

export function numberOf(text: string): Json | undefined {
  return text === "" ? undefined : Number(text);
}

// --- where it all goes -------------------------------------------------------------------------------------------

const checkWidths: Record<string, number> = {
  "crc-32": 4,
  "crc-32/mpeg-2": 4,
  "crc-16/modbus": 2,
  "crc-16/ccitt-false": 2,
  "crc-16/xmodem": 2,
  "crc-16/arc": 2,
  "sha-256": 32,
};

export const algorithms = Object.keys(checkWidths);

function span(kind: Span["kind"], label: string, address: number | null, size: number | null, note = ""): Span[] {
  return address !== null && size !== null && size > 0 ? [{ kind, label, address, size, note }] : [];
}

/** What the recipe puts into the flash, or leaves there. */
export function spansOfRecipe(content: Members, images: Image[]): Span[] {
  const named = (one: Members) => textIn(one, "name") || "without name";
  return [
    ...images.flatMap((image) => spansOf(image, image.name ?? "image")),
    ...objectsIn(content, "fields").flatMap((one) =>
      span("field", `field ${named(one)}`, addressNumber(one.address), Number(one.width), textIn(one, "encoding")),
    ),
    ...objectsIn(content, "checks").flatMap((one) => {
      const algorithm = textIn(one, "algorithm");
      return span("check", `check ${named(one)}`, addressNumber(one.address), checkWidths[algorithm] ?? 0, algorithm);
    }),
    ...objectsIn(content, "keep").flatMap((one) =>
      span("keep", "kept", addressNumber(one.address), addressNumber(one.size)),
    ),
  ];
}

// --- saving ------------------------------------------------------------------------------------------------------

/* A line or word that was left empty in the form is none. */
function withoutEmpty(value: Json): Json {
  return Array.isArray(value) ? value.filter((item) => item !== "") : value;
}

/* The daemon says what of it is no recipe; the page does not judge twice. */
function orderOf(edit: Edit): RecipeOrder {
  const entries = Object.entries(edit.content).map(([member, value]) => [member, withoutEmpty(value)]);
  return { ...Object.fromEntries(entries), name: edit.name } as unknown as RecipeOrder;
}

export function matchOf(recipe: Recipe): string {
  return `"${recipe.fact}"`;
}

/** Saves the edit: over the draft that it began with, as long as nobody else has changed that, or as a new version. */
export function save(edit: Edit): Promise<Recipe> {
  const body = orderOf(edit);
  if (!edit.base) return answer(client.POST("/v1/recipes", { body }));
  const { name, version } = edit.base;
  const params = { path: { name, version }, header: { "If-Match": matchOf(edit.base) } };
  return answer(client.PUT("/v1/recipes/{name}/{version}", { params, body }));
}

// SPDX-License-Identifier: Apache-2.0
/* From any word of the record to all that is known of it. */
import { short } from "../core/format";
import { to } from "../core/router";
import { useImageName } from "./image_name";
import type { Subject } from "./search";

export function TraceLink({ subject, id, children }: { subject: Subject; id: string | number; children?: string }) {
  return <a href={to("trace", { [subject]: String(id) })}>{children ?? id}</a>;
}

export function ImageLink({ id }: { id: string }) {
  const name = useImageName(id);
  return (
    <a href={to("trace", { image: id })} title={`SHA-256 ${id}`}>
      {name} <code>{short(id)}</code>
    </a>
  );
}

export function RecipeText({ recipe }: { recipe: { name: string; version: number; hash: string } | null }) {
  if (!recipe) return <>ad hoc</>;
  return (
    <span title={`SHA-256 ${recipe.hash}`}>
      {recipe.name}/{recipe.version}
    </span>
  );
}

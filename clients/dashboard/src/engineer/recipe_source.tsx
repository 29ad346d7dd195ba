// SPDX-License-Identifier: Apache-2.0
/* Where the value of a field comes from. */
import { Select, TextBox } from "./controls";
import { type Json, type Members, numberOf, textIn } from "./recipe_model";
import type { RowProps } from "./recipe_rows";

const DATES = ["YYYY-MM-DD", "YYMMDD", "YYWW", "unix"];

/** One of some words; another one that stands there already stays to be seen. */
export function Choice({
  label,
  value,
  onValue,
  words,
}: {
  label: string;
  value: string;
  onValue(text: string): void;
  words: string[];
}) {
  return (
    <Select bare label={label} value={value} onValue={onValue}>
      {words.includes(value) ? null : <option value={value}>{value || "choose…"}</option>}
      {words.map((word) => (
        <option key={word} value={word}>
          {word}
        </option>
      ))}
    </Select>
  );
}

function sourceOf(item: Members): Members {
  const source = item.source;
  return typeof source === "object" && source !== null && !Array.isArray(source) ? source : {};
}

function hexOf(value: Json | undefined): string | null {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return null;
  return typeof value.hex === "string" ? value.hex : null;
}

/** The choices of the form; "other" is what only the JSON view can show. */
function kindOf(source: Members): string {
  const [name, ...more] = Object.keys(source);
  if (!name || more.length) return "other";
  if (name !== "constant") return ["pool", "unit", "uid", "date"].includes(name) ? name : "other";
  const value = source.constant;
  if (hexOf(value) !== null) return "hex";
  return typeof value === "number" ? "number" : typeof value === "string" ? "text" : "other";
}

const sourceWords: Record<string, string> = {
  pool: "pool",
  unit: "unit’s member",
  uid: "chip’s UID",
  date: "date",
  text: "text",
  number: "number",
  hex: "bytes, hex",
};

function freshSource(kind: string, pools: string[]): Members {
  const values: Record<string, Members> = {
    pool: { pool: pools[0] ?? "" },
    unit: { unit: "" },
    uid: { uid: true },
    date: { date: "YYWW" },
    text: { constant: "" },
    number: { constant: 0 },
    hex: { constant: { hex: "" } },
  };
  return values[kind] ?? {};
}

function SourceValue({ kind, item, set, named, pools }: RowProps & { kind: string }) {
  const source = sourceOf(item);
  const put = (value: Members) => set("source", value);
  const label = `value of ${named}`;
  if (kind === "pool")
    return <Choice label={label} value={textIn(source, "pool")} onValue={(pool) => put({ pool })} words={pools} />;
  if (kind === "date")
    return <Choice label={label} value={textIn(source, "date")} onValue={(date) => put({ date })} words={DATES} />;
  if (kind === "unit")
    return <TextBox bare required label={label} value={textIn(source, "unit")} onValue={(unit) => put({ unit })} />;
  if (kind === "number")
    return (
      <TextBox
        bare
        required
        type="number"
        max={Number.MAX_SAFE_INTEGER}
        label={label}
        value={textIn(source, "constant")}
        onValue={(text) => put({ constant: numberOf(text) ?? 0 })}
      />
    );
  if (kind === "text")
    return <TextBox bare label={label} value={textIn(source, "constant")} onValue={(constant) => put({ constant })} />;
  if (kind === "hex")
    return (
      <TextBox
        bare
        mono
        label={label}
        value={hexOf(source.constant) ?? ""}
        onValue={(hex) => put({ constant: { hex } })}
        pattern="([0-9a-fA-F]{2})*"
        title="pairs of hexadecimal digits"
      />
    );
  return <span class="empty">{kind === "uid" ? "read from the chip" : ""}</span>;
}

export function Source(props: RowProps) {
  const source = sourceOf(props.item);
  const kind = kindOf(source);
  const chosen = Object.keys(source).length > 0;
  return (
    <div class="source">
      <Select
        bare
        label={`source of ${props.named}`}
        value={kind}
        onValue={(word) => props.set("source", freshSource(word, props.pools))}
      >
        {kind === "other" ? <option value="other">{chosen ? "as in the JSON" : "choose…"}</option> : null}
        {Object.entries(sourceWords).map(([word, said]) => (
          <option key={word} value={word}>
            {said}
          </option>
        ))}
      </Select>
      <SourceValue {...props} kind={kind} />
    </div>
  );
}

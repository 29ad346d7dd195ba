// SPDX-License-Identifier: Apache-2.0
/* What few recipes need, folded away in those that do not. */
import { CheckBox, TextArea, TextBox } from "./controls";
import type { FormProps } from "./recipe_form";
import { type Json, type Members, numberOf, textIn, textsIn } from "./recipe_model";
import { Rows, keepRow, optionRow } from "./recipe_rows";

const members = ["option_bytes", "keep", "board_code", "fixtures", "signature"];

/** A list of words as lines of a text. A board code may be one regular expression instead. */
function Lines({
  label,
  name,
  hint,
  content,
  set,
  single,
}: Pick<FormProps, "content" | "set"> & {
  label: string;
  name: string;
  hint: string;
  single?: boolean;
}) {
  const value = content[name];
  const text = typeof value === "string" ? value : textsIn(content, name).join("\n");

  function put(typed: string) {
    const lines = typed.split("\n");
    if (!typed.trim()) set(name, undefined);
    else set(name, single && lines.length === 1 ? typed : lines);
  }

  return <TextArea label={label} name={name} hint={hint} rows={2} mono value={text} onValue={put} />;
}

function Signature({ content, set }: FormProps) {
  const value = content.signature;
  const policy: Members = typeof value === "object" && value !== null && !Array.isArray(value) ? value : {};

  function put(member: string, part: Json | undefined) {
    const changed: Members = { ...policy };
    if (part === undefined) delete changed[member];
    else changed[member] = part;
    set("signature", Object.keys(changed).length ? changed : undefined);
  }

  return (
    <div class="form">
      <CheckBox
        label="Every image must be signed"
        name="signature"
        hint="by a trusted key of the daemon's configuration"
        checked={policy.required === true}
        onValue={(on) => put("required", on ? true : undefined)}
      />
      <TextBox
        label="By one of these keys"
        hint="names, with blanks between them; empty: any trusted key"
        value={textsIn(policy, "keys").join(" ")}
        onValue={(text) => put("keys", text.trim() ? text.split(/\s+/) : undefined)}
      />
      <TextBox
        label="No more than"
        hint="boards that may be made with this version in all"
        unit="boards"
        type="number"
        min={1}
        value={textIn(policy, "max_units")}
        onValue={(text) => put("max_units", numberOf(text))}
      />
      <CheckBox
        label="It has an image for MCUboot"
        hint="whose own hash and signature are checked; an address and a counter in the JSON view"
        checked={policy.mcuboot !== undefined && policy.mcuboot !== false}
        onValue={(on) => put("mcuboot", on ? true : undefined)}
      />
    </div>
  );
}

function Options({ content, set }: FormProps) {
  return (
    <div class="side-by-side">
      <Rows
        title="Option bytes"
        hint="written after verify; at most 8"
        member="option_bytes"
        one="option"
        heads={[
          ["Address", "0x…"],
          ["Bytes", "hexadecimal"],
        ]}
        content={content}
        onList={(list) => set("option_bytes", list)}
        fresh={{ address: "", hex: "" }}
        most={8}
        row={optionRow}
      />
      <Rows
        title="Kept"
        hint="spans whose content stays as it is in the chip"
        member="keep"
        one="span"
        heads={[
          ["Address", "0x…"],
          ["Size", "bytes"],
        ]}
        content={content}
        onList={(list) => set("keep", list)}
        fresh={{ address: "", size: 1024 }}
        most={64}
        row={keepRow}
      />
    </div>
  );
}

/** Whether the recipe says something of what is folded away. */
function says(content: Members): boolean {
  return members.some((member) => content[member] !== undefined);
}

export function More(props: FormProps) {
  return (
    <details open={says(props.content)}>
      <summary>Option bytes, kept spans, codes, fixtures, signatures</summary>
      <Options {...props} />
      <div class="side-by-side">
        <Lines
          {...props}
          label="Code of the board"
          name="board_code"
          hint="what a scanner must read: one regular expression, or a code on each line"
          single
        />
        <Lines {...props} label="Fixtures" name="fixtures" hint="that it may be done in, one on each line" />
      </div>
      <fieldset class="rows">
        <legend>Signatures</legend>
        <Signature {...props} />
      </fieldset>
    </details>
  );
}

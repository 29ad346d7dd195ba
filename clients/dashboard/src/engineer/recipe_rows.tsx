// SPDX-License-Identifier: Apache-2.0
/* The lists of a recipe, a row for each item: fields, checks, option bytes, spans that are kept. */
import type { ComponentChildren } from "preact";
import { CheckBox, Select, TextBox } from "./controls";
import {
  type Json,
  type Members,
  addressOf,
  addressText,
  algorithms,
  numberOf,
  objectsIn,
  textIn,
  withoutOr,
} from "./recipe_model";
import { Choice, Source } from "./recipe_source";

const ADDRESS = "0x[0-9a-fA-F]{1,8}|[0-9]{1,10}";
const ADDRESS_WORDS = "an address, such as 0x0801fc00";
const ENCODINGS = ["ascii", "utf-16le", "bcd", "binary-le", "binary-be", "bytes"];

export interface RowProps {
  item: Members;
  set(member: string, value: Json | undefined): void;
  /** "field serial", for readers */
  named: string;
  pools: string[];
}

interface RowsProps {
  title: string;
  hint: string;
  member: string;
  one: string;
  /** of the columns: what, and in which unit or by which rule */
  heads: [string, string][];
  content: Members;
  onList(list: Json[] | undefined): void;
  fresh: Members;
  most?: number;
  pools?: string[];
  row(props: RowProps): ComponentChildren;
}

/** A list member of the recipe as a table of controls. */
export function Rows({ title, hint, member, one, heads, content, onList, fresh, most, pools = [], row }: RowsProps) {
  const value = content[member];
  const list = Array.isArray(value) ? value : [];
  const items = objectsIn(content, member);

  function change(index: number, item: Members | null) {
    const changed = list.flatMap((old, at) => (at !== index ? [old] : item ? [item] : []));
    onList(changed.length ? changed : undefined);
  }

  return (
    <fieldset class="rows">
      <legend>{title}</legend>
      <p class="hint">{hint}</p>
      {items.length ? (
        <table>
          <thead>
            <tr>
              {heads.map(([what, how]) => (
                <th key={what} scope="col">
                  {what} <small>{how}</small>
                </th>
              ))}
              <td />
            </tr>
          </thead>
          <tbody>
            {items.map((item, index) => (
              <tr key={index}>
                {row({
                  item,
                  set: (name, value) => change(index, withoutOr(item, name, value)),
                  named: `${one} ${textIn(item, "name") || index + 1}`,
                  pools,
                })}
                <td>
                  <button type="button" onClick={() => change(index, null)} aria-label={`Remove ${one} ${index + 1}`}>
                    Remove
                  </button>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      ) : null}
      <button type="button" disabled={items.length >= (most ?? Infinity)} onClick={() => onList([...list, fresh])}>
        Add a {one}
      </button>
    </fieldset>
  );
}

function Address({ item, set, member, named }: Pick<RowProps, "item" | "set" | "named"> & { member: string }) {
  return (
    <TextBox
      bare
      mono
      required
      label={`${member} of ${named}`}
      value={member === "size" ? textIn(item, member) : addressText(item[member])}
      onValue={(text) => set(member, addressOf(text))}
      pattern={ADDRESS}
      title={member === "size" ? "a number, decimal or 0x…" : ADDRESS_WORDS}
    />
  );
}

function Name({ item, set, named }: Pick<RowProps, "item" | "set" | "named">) {
  return (
    <TextBox
      bare
      required
      label={`name of ${named}`}
      value={textIn(item, "name")}
      onValue={(text) => set("name", text)}
    />
  );
}

function OverCode({ item, set, named }: Pick<RowProps, "item" | "set" | "named">) {
  return (
    <CheckBox
      bare
      label={`${named} may replace bytes of the image that are not blank`}
      checked={item.over_code === true}
      onValue={(on) => set("over_code", on ? true : undefined)}
    />
  );
}

// --- the rows ------------------------------------------------------------------------------------------------------

export function fieldRow(props: RowProps) {
  const { item, set, named } = props;
  return (
    <>
      <td class="name">
        <Name {...props} />
      </td>
      <td class="address">
        <Address {...props} member="address" />
      </td>
      <td class="small">
        <TextBox
          bare
          required
          type="number"
          min={1}
          label={`width of ${named} in bytes`}
          value={textIn(item, "width")}
          onValue={(text) => set("width", numberOf(text))}
        />
      </td>
      <td>
        <Choice
          label={`encoding of ${named}`}
          value={textIn(item, "encoding")}
          onValue={(text) => set("encoding", text)}
          words={ENCODINGS}
        />
      </td>
      <td>
        <Source {...props} />
      </td>
      <td class="small">
        <TextBox
          bare
          type="number"
          min={0}
          max={255}
          label={`padding byte of ${named}`}
          value={textIn(item, "pad")}
          onValue={(text) => set("pad", numberOf(text))}
        />
      </td>
      <td>
        <OverCode {...props} />
      </td>
    </>
  );
}

export function checkRow(props: RowProps) {
  const { item, set, named } = props;
  const range = typeof item.range === "object" && item.range !== null && !Array.isArray(item.range) ? item.range : {};
  const setRange = (name: string, value: Json | undefined) => set("range", withoutOr(range, name, value));
  return (
    <>
      <td class="name">
        <Name {...props} />
      </td>
      <td class="address">
        <Address {...props} member="address" />
      </td>
      <td>
        <Choice
          label={`algorithm of ${named}`}
          value={textIn(item, "algorithm")}
          onValue={(text) => set("algorithm", text)}
          words={algorithms}
        />
      </td>
      <td class="address">
        <Address item={range} set={setRange} member="address" named={`the range of ${named}`} />
      </td>
      <td class="address">
        <Address item={range} set={setRange} member="size" named={`the range of ${named}, in bytes`} />
      </td>
      <td>
        <Select
          bare
          label={`byte order of ${named}`}
          value={textIn(item, "endian")}
          onValue={(text) => set("endian", text || undefined)}
        >
          <option value="">usual</option>
          <option value="little">little</option>
          <option value="big">big</option>
        </Select>
      </td>
      <td>
        <OverCode {...props} />
      </td>
    </>
  );
}

export function optionRow(props: RowProps) {
  return (
    <>
      <td class="address">
        <Address {...props} member="address" />
      </td>
      <td>
        <TextBox
          bare
          mono
          required
          label={`bytes of ${props.named}`}
          value={textIn(props.item, "hex")}
          onValue={(text) => props.set("hex", text)}
          pattern="([0-9a-fA-F]{2}){1,32}"
          title="1 to 32 bytes as pairs of hexadecimal digits"
        />
      </td>
    </>
  );
}

export function keepRow(props: RowProps) {
  return (
    <>
      <td class="address">
        <Address {...props} member="address" />
      </td>
      <td class="address">
        <Address {...props} member="size" />
      </td>
    </>
  );
}

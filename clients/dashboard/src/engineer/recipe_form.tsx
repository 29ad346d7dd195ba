// SPDX-License-Identifier: Apache-2.0
/* A recipe as a form. Each control shows one member and changes only that one. */
import type { Chip, Image } from "../core/api";
import { bytes, short } from "../core/format";
import { CheckBox, Select, TextBox } from "./controls";
import { FlashMap } from "./flash_map";
import { ChipOptions } from "./parts";
import { type Json, type Members, numberOf, spansOfRecipe, textIn, textsIn } from "./recipe_model";
import { More } from "./recipe_more";
import { Rows, checkRow, fieldRow } from "./recipe_rows";

export interface FormProps {
  content: Members;
  set(member: string, value: Json | undefined): void;
  chips: Chip[];
  images: Image[];
  pools: string[];
}

function totalOf(image: Image): number {
  return image.ranges.reduce((sum, range) => sum + range.size, 0);
}

function imageWords(id: string, images: Image[]): string {
  const image = images.find((one) => one.id === id);
  return image ? `${image.name ?? "(no name)"}, ${bytes(totalOf(image))}` : "an image that is not among the newest";
}

function Images({ content, set, images }: FormProps) {
  const chosen = textsIn(content, "images");
  const put = (ids: string[]) => set("images", ids.length ? ids : undefined);
  return (
    <fieldset class="rows">
      <legend>Images</legend>
      <p class="hint">what is programmed; several must not overlap</p>
      <ul class="chosen-images">
        {chosen.map((id) => (
          <li key={id}>
            <span class="mono">{short(id)}</span> {imageWords(id, images)}
            <button
              type="button"
              onClick={() => put(chosen.filter((one) => one !== id))}
              aria-label={`Remove ${imageWords(id, images)}`}
            >
              Remove
            </button>
          </li>
        ))}
      </ul>
      <div class="adding">
        <Select
          label="Add an image"
          name="images"
          hint="the newest first; others by their SHA-256 in the JSON view"
          value=""
          onValue={(id) => put([...chosen, id])}
        >
          <option value="">choose…</option>
          {images
            .filter((image) => !chosen.includes(image.id))
            .map((image) => (
              <option key={image.id} value={image.id}>
                {image.name ?? "(no name)"} · {short(image.id)} · {image.format} · {bytes(totalOf(image))}
              </option>
            ))}
        </Select>
      </div>
    </fieldset>
  );
}

function Main({ content, set, chips, pools }: FormProps) {
  const pool = textIn(content, "serial_pool");
  return (
    <div class="form">
      <TextBox
        label="Description"
        name="description"
        hint="for people"
        value={textIn(content, "description")}
        onValue={(text) => set("description", text || undefined)}
      />
      <Select
        label="Chip"
        name="chip"
        hint="as ordered"
        required
        value={textIn(content, "chip")}
        onValue={(text) => set("chip", text || undefined)}
      >
        <option value="">choose…</option>
        <ChipOptions chips={chips} />
      </Select>
      <Select
        label="Serial pool"
        name="serial_pool"
        hint="where each unit's serial comes from"
        value={pool}
        onValue={(text) => set("serial_pool", text || undefined)}
      >
        <option value="">none</option>
        {pool && !pools.includes(pool) ? <option value={pool}>{pool}</option> : null}
        {pools.map((name) => (
          <option key={name} value={name}>
            {name}
          </option>
        ))}
      </Select>
      <TextBox
        label="Time limit"
        name="timeout_s"
        hint="of one run; empty: the daemon's own"
        type="number"
        min={1}
        max={86400}
        unit="s"
        value={textIn(content, "timeout_s")}
        onValue={(text) => set("timeout_s", numberOf(text))}
      />
    </div>
  );
}

function UnitData({ content, set, pools: all }: FormProps) {
  const pool = textIn(content, "serial_pool");
  const pools = [pool, ...all.filter((name) => name !== pool)].filter(Boolean);
  return (
    <>
      <Rows
        title="What each unit gets of its own"
        hint="laid over the image for one unit, and verified with it; a value that does not fit is refused, never cut"
        member="fields"
        one="field"
        heads={[
          ["Name", ""],
          ["Address", "0x…"],
          ["Width", "bytes"],
          ["Encoding", ""],
          ["Source", "and which"],
          ["Pad", "0–255"],
          ["Over code", ""],
        ]}
        content={content}
        onList={(list) => set("fields", list)}
        fresh={{ name: "", address: "", width: 16, encoding: "ascii", source: pools[0] ? { pool: pools[0] } : {} }}
        pools={pools}
        row={fieldRow}
      />
      <Rows
        title="Checks"
        hint="computed over the image when all fields are in place"
        member="checks"
        one="check"
        heads={[
          ["Name", ""],
          ["Address", "0x…"],
          ["Algorithm", ""],
          ["Range from", "0x…"],
          ["Range size", "bytes"],
          ["Byte order", ""],
          ["Over code", ""],
        ]}
        content={content}
        onList={(list) => set("checks", list)}
        fresh={{ name: "crc", address: "", algorithm: "crc-32", range: { address: "", size: 16 } }}
        row={checkRow}
      />
    </>
  );
}

function Protection({ content, set }: FormProps) {
  const protect = textIn(content, "protect");
  return (
    <div class="form">
      <Select
        label="Protect"
        name="protect"
        hint="set last, after verify has passed"
        value={protect}
        onValue={(text) => set("protect", text || undefined)}
      >
        <option value="">nothing is said</option>
        <option value="none">none</option>
        <option value="read">read: against reading out</option>
        {protect === "rdp1" ? <option value="rdp1">rdp1: against reading out</option> : null}
        <option value="write">write: the pages of the image</option>
      </Select>
      <CheckBox
        label="Unprotect before"
        name="unprotect"
        hint="removes read-out protection, which wipes the chip, and write protection"
        checked={content.unprotect === true}
        onValue={(on) => set("unprotect", on ? true : undefined)}
      />
      <CheckBox
        label="Start the application at the end"
        name="run"
        hint="not together with protection against reading out"
        checked={content.run === true}
        onValue={(on) => set("run", on ? true : undefined)}
      />
    </div>
  );
}

export function RecipeForm(props: FormProps) {
  const { content, chips, images } = props;
  const chip = chips.find((one) => one.name === content.chip);
  const ids = textsIn(content, "images");
  const spans = spansOfRecipe(
    content,
    images.filter((image) => ids.includes(image.id)),
  );
  return (
    <>
      <Main {...props} />
      <Images {...props} />
      {chip && spans.length ? <FlashMap chip={chip} spans={spans} /> : null}
      <UnitData {...props} />
      <fieldset class="rows">
        <legend>Protection and start</legend>
        <Protection {...props} />
      </fieldset>
      <More {...props} />
    </>
  );
}

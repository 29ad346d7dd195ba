// SPDX-License-Identifier: Apache-2.0
import { signal } from "@preact/signals";
import { useRef, useState } from "preact/hooks";
import { type Chip, type DryRun, type Image, answer, client } from "../core/api";
import { recent } from "../core/farm";
import { bytes, dateTime, hex } from "../core/format";
import { to } from "../core/router";
import { may } from "../core/session";
import { Icon } from "../ui/icons";
import { Panel, ProblemNote, useAnswer } from "../ui/parts";
import { imageChanges } from "./changes";
import { Select } from "./controls";
import { FlashMap, type Span, SpanTable } from "./flash_map";
import { ChipOptions, Findings, useAction, useChips } from "./parts";

export function spansOf(image: Image, label = "range"): Span[] {
  return image.ranges.map((range, index) => ({
    kind: "image",
    label: image.ranges.length > 1 ? `${label} ${index + 1}` : label,
    address: range.address,
    size: range.size,
    note: range.crc32,
  }));
}

function fits(image: Image, chip: Chip): boolean {
  const end = chip.flash_base + chip.flash_size;
  return image.ranges.every((range) => range.address >= chip.flash_base && range.address + range.size <= end);
}

/** the chip that was looked at last: the next image is mostly for the same one */
const lastChip = signal("");

/** Of the chips that the image fits into: the one of the last time, one that was programmed lately, or the smallest. */
function likeliest(image: Image, chips: Chip[]): Chip | undefined {
  const fitting = chips.filter((chip) => fits(image, chip)).sort((a, b) => a.flash_size - b.flash_size);
  const lately = new Set(recent.value.map((run) => run.chip));
  return (
    fitting.find((chip) => chip.name === lastChip.value) ?? fitting.find((chip) => lately.has(chip.name)) ?? fitting[0]
  );
}

/** What the daemon says of this image in this chip: the findings of a dry run of one board. */
function Lint({ image, chip }: { image: Image; chip: Chip }) {
  const body = { chip: chip.name, images: [image.id], dry_run: true };
  const asked = useAnswer(() => answer(client.POST("/v1/jobs", { body })) as Promise<DryRun>, [image.id, chip.name]);
  if (asked.problem) return <ProblemNote problem={asked.problem} />;
  return asked.value ? <Findings findings={asked.value.findings} of={`this image in ${chip.name}`} /> : null;
}

function Map({ image }: { image: Image }) {
  const { chips, problem } = useChips();
  const [chosen, setChosen] = useState("");
  const fitting = chips.filter((one) => fits(image, one));
  const chip = chips.find((one) => one.name === chosen) ?? likeliest(image, chips) ?? chips[0];
  if (!chip) return <ProblemNote problem={problem} />;

  function choose(name: string) {
    setChosen(name);
    lastChip.value = name;
  }

  return (
    <>
      <Select label="Chip" hint="those into which all ranges fit come first" value={chip.name} onValue={choose}>
        {fitting.length ? <ChipOptions chips={fitting} /> : null}
        <optgroup label="it does not fit into these">
          {chips
            .filter((one) => !fitting.includes(one))
            .map((one) => (
              <option key={one.name} value={one.name}>
                {one.name}
              </option>
            ))}
        </optgroup>
      </Select>
      <FlashMap chip={chip} spans={spansOf(image)} />
      {may("createRecipe") ? <Lint image={image} chip={chip} /> : null}
      <UseIt image={image} chip={chip} />
    </>
  );
}

function UseIt({ image, chip }: { image: Image; chip: Chip }) {
  const query = { image: image.id, chip: chip.name };
  return (
    <p class="links">
      {may("createRecipe") ? (
        <a href={to("engineer/recipes", { new: image.id, ...query })}>Build a recipe with it</a>
      ) : null}
      {may("createRecipe") ? <a href={to("engineer/jobs", query)}>Order boards with it</a> : null}
      <a href={to("trace", { q: image.id })}>Where it was used</a>
    </p>
  );
}

function AddSignature({ image, done }: { image: Image; done: () => void }) {
  const input = useRef<HTMLInputElement>(null);
  const action = useAction();

  async function chosen() {
    const file = input.current?.files?.[0];
    if (!file) return;
    const sent = await action.run(async () =>
      answer(
        client.POST("/v1/images/{id}/signatures", {
          params: { path: { id: image.id } },
          body: await file.text(),
          bodySerializer: (text) => text,
          headers: { "Content-Type": "text/plain" },
        }),
      ),
    );
    if (input.current) input.current.value = "";
    if (sent) done();
  }

  return (
    <>
      <input
        ref={input}
        type="file"
        accept=".minisig"
        class="hidden"
        tabIndex={-1}
        aria-label="Signature file"
        onChange={() => void chosen()}
      />
      <button type="button" disabled={action.busy} onClick={() => input.current?.click()}>
        Add a .minisig…
      </button>
      <ProblemNote problem={action.problem} />
    </>
  );
}

function Signatures({ image }: { image: Image }) {
  const ask = () => answer(client.GET("/v1/images/{id}/signatures", { params: { path: { id: image.id } } }));
  const list = useAnswer(ask, [image.id, imageChanges.value]);
  const items = list.value?.items ?? [];
  return (
    <div class="signatures">
      <h3>Signatures</h3>
      <ProblemNote problem={list.problem} />
      {items.length ? null : <p class="empty">No signature by a trusted key.</p>}
      <ul>
        {items.map((item) => (
          <li key={`${item.key_id} ${item.added ?? ""}`}>
            <Icon name="pass" /> good, by <strong>{item.key_name}</strong> <span class="mono">{item.key_id}</span>
            {item.comment ? <>: “{item.comment}”</> : null} {item.added ? dateTime(item.added) : ""}
          </li>
        ))}
      </ul>
      {may("addSignature") ? <AddSignature image={image} done={list.again} /> : null}
    </div>
  );
}

export function ImageDetail({ id }: { id: string }) {
  const loaded = useAnswer(() => answer(client.GET("/v1/images/{id}", { params: { path: { id } } })), [id]);
  const image = loaded.value;
  if (!image || image.id !== id) return <ProblemNote problem={loaded.problem} />;
  return (
    <Panel title={image.name ?? "An image without name"}>
      <dl class="about">
        <dt>SHA-256</dt>
        <dd class="mono wrap">{image.id}</dd>
        <dt>File</dt>
        <dd>
          {image.format}, {bytes(image.size)}
          {image.base != null ? (
            <>
              , begins at <span class="mono">{hex(image.base)}</span>
            </>
          ) : null}
        </dd>
        <dt>Added</dt>
        <dd>
          {dateTime(image.added)} by {image.by ?? "–"}
        </dd>
      </dl>
      <Map key={image.id} image={image} />
      <SpanTable spans={spansOf(image)} note="CRC-32" />
      <Signatures image={image} />
    </Panel>
  );
}

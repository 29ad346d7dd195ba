// SPDX-License-Identifier: Apache-2.0
/* Where an image is used, and what is in it. */
import type { Image } from "../core/api";
import { Problem } from "../core/api";
import { bytes, dateTime, hex } from "../core/format";
import { Panel, ProblemNote, useAnswer } from "../ui/parts";
import { imageOf } from "./image_name";
import { Fact } from "./run";
import { RunList } from "./runs_table";

function Ranges({ image }: { image: Image }) {
  return (
    <table class="narrow">
      <caption class="hidden">Address ranges of the image</caption>
      <thead>
        <tr>
          <th scope="col">From</th>
          <th scope="col">To</th>
          <th scope="col" class="figure">Size</th>
          <th scope="col">CRC-32</th>
        </tr>
      </thead>
      <tbody>
        {image.ranges.map((range) => (
          <tr key={range.address}>
            <th scope="row" class="mono">{hex(range.address)}</th>
            <td class="mono">{hex(range.address + range.size - 1)}</td>
            <td class="figure">{bytes(range.size)}</td>
            <td class="mono">{range.crc32}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

async function known(id: string): Promise<Image> {
  const image = await imageOf(id);
  if (!image) throw new Problem(404, "No such image", `No image has the SHA-256 ${id}.`);
  return image;
}

export function ImageView({ id }: { id: string }) {
  const { value: image, problem } = useAnswer(() => known(id), [id]);
  if (!image) return <ProblemNote problem={problem} />;
  return (
    <>
      <h2 class="title">Image {image.name ?? <code>{id.slice(0, 16)}</code>}</h2>
      <Panel title="The file">
        <dl class="facts">
          <Fact name="SHA-256">
            <code class="hash">{image.id}</code>
          </Fact>
          <Fact name="Format">{image.format}</Fact>
          <Fact name="File size">{bytes(image.size)}</Fact>
          <Fact name="Added">
            {dateTime(image.added)} by {image.by ?? "–"}
          </Fact>
        </dl>
        <Ranges image={image} />
      </Panel>
      <RunList filter={{ image: id }} name={image.name ?? id.slice(0, 16)} />
    </>
  );
}

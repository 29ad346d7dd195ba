// SPDX-License-Identifier: Apache-2.0
/* Firmware files: upload, and what is in them. */
import { type Image, answer, client } from "../core/api";
import { bytes, clockTime, short } from "../core/format";
import { route, to } from "../core/router";
import { may } from "../core/session";
import { Empty, Panel, ProblemNote } from "../ui/parts";
import { imageChanges } from "./changes";
import "./engineer.css";
import { ImageDetail } from "./image_detail";
import { UploadPanel } from "./image_upload";
import { Pager, day, usePages } from "./parts";

const PAGE = 50;

function ImageRow({ image, chosen }: { image: Image; chosen: boolean }) {
  const size = image.ranges.reduce((sum, range) => sum + range.size, 0);
  return (
    <tr class={chosen ? "chosen" : undefined}>
      <th scope="row" class="wrap">
        <a href={to("engineer/images", { id: image.id })} aria-current={chosen ? "true" : undefined}>
          {image.name ?? "(no name)"}
        </a>
      </th>
      <td class="mono">{short(image.id)}</td>
      <td class="no-break">{image.format}</td>
      <td class="num">
        {bytes(size)}
        <small>{image.ranges.length === 1 ? "1 range" : `${image.ranges.length} ranges`}</small>
      </td>
      <td class="no-break">
        {clockTime(image.added)}
        <small>
          {day(image.added)}, {image.by ?? "–"}
        </small>
      </td>
    </tr>
  );
}

function ImageList({ chosen }: { chosen: string }) {
  const pages = usePages(
    (cursor) => answer(client.GET("/v1/images", { params: { query: { limit: PAGE, ...(cursor && { cursor }) } } })),
    [],
    imageChanges.value,
  );
  return (
    <Panel title="Images, newest first" actions={<Pager pages={pages} what="images" />}>
      <ProblemNote problem={pages.problem} />
      {pages.items?.length === 0 ? <Empty>No image yet: choose a file above, or drop it there.</Empty> : null}
      {pages.items?.length ? (
        <table>
          <thead>
            <tr>
              <th scope="col">Name</th>
              <th scope="col">SHA-256</th>
              <th scope="col">Format</th>
              <th scope="col" class="num">
                Content
              </th>
              <th scope="col">Added</th>
            </tr>
          </thead>
          <tbody>
            {pages.items.map((image) => (
              <ImageRow key={image.id} image={image} chosen={image.id === chosen} />
            ))}
          </tbody>
        </table>
      ) : null}
    </Panel>
  );
}

export function ImagesPage() {
  const id = route.value.query.get("id") ?? "";
  return (
    <div class="engineer">
      <h1>Images</h1>
      {may("addImage") ? <UploadPanel /> : null}
      <div class={id ? "halves" : ""}>
        <ImageList chosen={id} />
        {id ? <ImageDetail id={id} /> : null}
      </div>
    </div>
  );
}

// SPDX-License-Identifier: Apache-2.0
/* Names of images, which never change: each is asked for once. */
import { useEffect, useState } from "preact/hooks";
import { type Image, answer, client } from "../core/api";
import { orNull } from "./search";

const asked = new Map<string, Promise<Image | null>>();

export function imageOf(id: string): Promise<Image | null> {
  const known = asked.get(id);
  if (known) return known;
  const asking = orNull(answer(client.GET("/v1/images/{id}", { params: { path: { id } } })));
  asked.set(id, asking);
  asking.catch(() => asked.delete(id));
  return asking;
}

/** The file name of an image; null until it is known, or where it has none. */
export function useImageName(id: string): string | null {
  const [name, setName] = useState<string | null>(null);
  useEffect(() => {
    let current = true;
    imageOf(id).then(
      (image) => current && setName(image?.name ?? null),
      () => undefined, // the hash stands there all the same
    );
    return () => {
      current = false;
    };
  }, [id]);
  return name;
}

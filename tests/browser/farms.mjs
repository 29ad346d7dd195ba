// SPDX-License-Identifier: Apache-2.0
// Farms that something has happened to, for the tests that look at all pages.
import { firmware, until } from "./plant.mjs";

export const PLACES = [
  "line",
  "operate",
  "engineer/images",
  "engineer/recipes",
  "engineer/jobs",
  "engineer/stations",
  "trace",
  "charts",
];
export const ROLES = ["operator", "engineer", "auditor", "admin", "mes"];

/** Passes, failures of several classes, a serial pool, recipes of each state, a held job, a port that is lost. */
export async function eventful(plant) {
  const names = (await plant.get("/v1/stations")).items.map((station) => station.name);
  const image = await plant.image(firmware(3000), "controller.hex");
  await plant.post("/v1/serial-pools", { name: "boards", first: 1, last: 99999, format: { prefix: "SN", digits: 6 } });
  const recipe = {
    name: "controller",
    description: "main board",
    chip: "stm32f103xb",
    images: [image],
    serial_pool: "boards",
    fields: [
      { name: "serial", address: "0x0801fc00", width: 16, encoding: "ascii", pad: 0, source: { pool: "boards" } },
    ],
  };
  await plant.post("/v1/recipes", recipe);
  await plant.demand("POST", "/v1/recipes/controller/1/release", {
    body: { reason: "review 12" },
    headers: { "If-Match": "*" },
  });
  await plant.post("/v1/recipes", { ...recipe, description: "next" });
  const first = (await plant.post("/v1/jobs", { recipe: "controller", stations: "all", work_order: "WO-4711" })).id;
  await plant.jobEnds(first);

  await plant.board("fault", names[1], "nack-write");
  for (const name of names.slice(0, 3)) await plant.board("insert", name);
  await plant.board("fault", names[2], "bad-cell");
  const held = (
    await plant.post("/v1/jobs", {
      recipe: "controller",
      stations: names.slice(0, 3),
      quantity: 50,
      trigger: "on_insert",
      work_order: "WO-4712",
      hold_after_failures: 2,
    })
  ).id;
  await plant.jobEnds(held, "held");
  const last = names[names.length - 1];
  await plant.board("unplug", last);
  await until(
    `${last} to be without its port`,
    async () => (await plant.get(`/v1/stations/${last}`)).state === "port-lost",
  );
  return { names, image, first, held };
}

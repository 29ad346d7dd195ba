// SPDX-License-Identifier: Apache-2.0
// An engineer's day: a file is dropped, its map is drawn, a recipe is built from it, the lint speaks against it, it is
// corrected, released, tried without touching anything, and ordered. Nothing that was typed is lost when the daemon
// refuses. Ports that nobody uses have a section to paste, which the daemon takes.
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { LARGE } from "./browser.mjs";
import { CHIP, firmware, hexFile, until } from "./plant.mjs";
import { play } from "./play.mjs";

/** Lets a file fall onto the element, as a file manager does. */
async function drop(visitor, selector, name, data) {
  const transfer = await visitor.page.evaluateHandle(
    ([title, bytes]) => {
      const found = new DataTransfer();
      found.items.add(new File([new Uint8Array(bytes)], title));
      return found;
    },
    [name, [...data]],
  );
  await visitor.page.dispatchEvent(selector, "drop", { dataTransfer: transfer });
}

async function upload({ plant, check, equal, shot }, visitor) {
  const { page } = visitor;
  await visitor.go("engineer/images");
  await drop(visitor, ".drop", "controller.hex", hexFile(firmware(5000)));
  await page
    .getByRole("list", { name: "Uploads" })
    .getByText(/stored as/)
    .waitFor();
  const [image] = (await plant.get("/v1/images")).items;
  equal([image.name, image.ranges.length, image.by], ["controller.hex", 1, "eva"], "the image that was dropped");
  await page
    .getByRole("list", { name: "Uploads" })
    .getByRole("link", { name: /controller.hex/ })
    .click();
  await page.getByRole("row", { name: /controller\.hex/ }).waitFor();
  await visitor.quiet();
  const text = await visitor.text();
  check(text.includes("0x08000000"), "its range is told");
  const map = page.locator(".flash-bar").first();
  check(
    /5000|4\.9 KiB/.test(await map.getAttribute("aria-label")),
    `its map is drawn: ${await map.getAttribute("aria-label")}`,
  );
  await shot(visitor, "engineer-image");

  await drop(visitor, ".drop", "raw.bin", firmware(100));
  const again = page.getByRole("form", { name: "Send raw.bin again" });
  await again.getByRole("alert").waitFor();
  await again.getByLabel("Base address").fill("0x08004000");
  await again.getByRole("button", { name: "Send again" }).click();
  await until("the raw binary to be stored", async () =>
    (await plant.get("/v1/images")).items.some((one) => one.name === "raw.bin" && one.base === 0x08004000),
  );
  return image;
}

async function recipe({ plant, check, equal, shot }, visitor, image) {
  const { page } = visitor;
  await visitor.go("engineer/recipes");
  await page.getByRole("button", { name: "New recipe" }).click();
  const form = page.getByRole("form", { name: "Recipe", exact: true });
  await form.getByLabel("Name").fill("controller");
  await form.getByLabel("Description").fill("main board");
  await form.getByLabel("Chip").selectOption(CHIP);
  await form.getByLabel("Add an image").selectOption(image.id);
  await form.getByRole("button", { name: "Add a field" }).click();
  await form.getByLabel(/^name of field/).fill("serial");
  await form.getByLabel(/^address of field/).fill("0x08001000"); // amid the code
  await form.getByLabel(/^width of field/).fill("16");
  await form.getByLabel(/^encoding of field/).selectOption("ascii");
  await form.getByRole("button", { name: "JSON" }).click();
  const json = form.getByLabel("The recipe as JSON");
  const content = JSON.parse(await json.inputValue());
  content.fields[0].source = { constant: "X1" };
  await json.fill(JSON.stringify(content, null, 2));
  await form.getByRole("button", { name: "Form" }).click();
  equal(await form.getByLabel("Description").inputValue(), "main board", "two views of the same recipe");
  await form.getByRole("button", { name: "Save as a draft" }).click();
  const lint = page.getByRole("region", { name: /^Lint/ });
  await lint.getByText("field-over-code").waitFor();
  await shot(visitor, "engineer-lint");

  await page.getByRole("button", { name: "Release…" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Reason").fill("review 12");
  await dialog.getByRole("button", { name: "Release" }).click();
  await dialog.getByRole("alert").waitFor();
  equal(await dialog.getByLabel("Reason").inputValue(), "review 12", "what was typed is still there after the refusal");
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "detached" });

  await form.getByLabel(/^address of field/).fill("0x0801fc00");
  await form.getByRole("button", { name: /^Save controller/ }).click();
  await lint.getByText("field-over-code").waitFor({ state: "detached" });
  await page.getByRole("button", { name: "Release…" }).click();
  await dialog.getByLabel("Reason").fill("review 12");
  await dialog.getByRole("button", { name: "Release" }).click();
  await dialog.waitFor({ state: "detached" });
  const released = await plant.get("/v1/recipes/controller/1");
  equal(
    [released.state, released.released_by, released.reason],
    ["released", "eva", "review 12"],
    "the recipe is released",
  );
  check(
    released.content.fields[0].address === "0x0801fc00" || released.content.fields[0].address === 0x0801fc00,
    "as corrected",
  );
}

/** Somebody else saves the draft meanwhile: he is told, and what he typed is not lost. */
async function stale({ plant, equal }, visitor, image) {
  const { page } = visitor;
  const body = { name: "other", chip: CHIP, images: [image.id], description: "first" };
  const draft = await plant.post("/v1/recipes", body);
  await visitor.go("engineer/recipes?name=other&version=1");
  const form = page.getByRole("form", { name: "Recipe", exact: true });
  await form.getByLabel("Description").fill("mine");
  await plant.demand("PUT", "/v1/recipes/other/1", {
    body: { ...body, description: "theirs" },
    headers: { "If-Match": `"${draft.fact}"` },
  });
  await page.getByRole("alert").filter({ hasText: "Somebody changed it" }).waitFor();
  equal(await form.getByLabel("Description").inputValue(), "mine", "what was typed is still there");
  equal((await plant.get("/v1/recipes/other/1")).content.description, "theirs", "and nothing was overwritten");
}

async function order({ plant, check, equal, shot }, visitor) {
  const { page } = visitor;
  await visitor.go("engineer/jobs?recipe=controller/1");
  const form = page.getByRole("form", { name: "Order" });
  await form.getByLabel("Work order").fill("WO-20");
  await form.getByLabel("Quantity").fill("4");
  const head = async () => (await plant.get("/v1/ledger/head")).sequence;
  const before = await head();
  await form.getByRole("button", { name: "Dry run", exact: true }).click();
  const button = form.getByRole("button", { name: "Order 4 boards" });
  await button.waitFor();
  await shot(visitor, "engineer-dry-run");
  equal(await head(), before, "the dry run left nothing on the record");
  await button.click();
  await form.getByText(/is ordered/).waitFor();
  const [job] = (await plant.get("/v1/jobs?limit=1")).items;
  equal([job.work_order, job.quantity, job.recipe.name, job.by], ["WO-20", 4, "controller", "eva"], "the order");
  const done = await plant.jobEnds(job.id);
  check(done.counts.passed === 4, "four boards passed");
  await visitor.go(`engineer/jobs?id=${job.id}`);
  await page.getByRole("main").getByText("WO-20").first().waitFor();
  await shot(visitor, "engineer-job");
}

/** A refusal of the daemon's is shown at the form, with everything that was typed. */
async function refusedOrder({ check, equal }, visitor) {
  const { page } = visitor;
  await visitor.go("engineer/jobs?recipe=controller/1");
  const form = page.getByRole("form", { name: "Order" });
  await form.getByLabel("Work order").fill("WO-21");
  await form.locator("summary").filter({ hasText: "data of each unit" }).click();
  await form.getByLabel("Units").fill('[{"serial": "", "code": "x"}]');
  await form.getByRole("button", { name: "Dry run", exact: true }).click();
  const told = await form.getByRole("alert").first().innerText();
  check(told.includes("units"), `what is wrong is told: ${told}`);
  equal(
    [await form.getByLabel("Work order").inputValue(), await form.getByLabel("Units").inputValue()],
    ["WO-21", '[{"serial": "", "code": "x"}]'],
    "what was typed is still there",
  );
  await form.getByRole("button", { name: "Clear" }).click();
}

async function stations({ plant, check, equal, shot }, visitor) {
  const { page } = visitor;
  await visitor.go("engineer/stations");
  const row = page
    .getByRole("row")
    .filter({ has: page.getByRole("rowheader", { name: "A2", exact: true }) })
    .first();
  await row.waitFor();
  await row.getByRole("button", { name: /Disable/ }).click();
  await until("A2 to be disabled", async () => (await plant.get("/v1/stations/A2")).state === "disabled");
  await row.getByRole("button", { name: /Enable/ }).click();
  await until("A2 to be enabled", async () => (await plant.get("/v1/stations/A2")).enabled);
  await row.getByRole("button", { name: /Identify/ }).click();
  const board = (await plant.ask("POST", "/v1/stations/A1/identify")).json;
  await page.getByText(board.chip_id).first().waitFor();
  await shot(visitor, "engineer-stations");
  const ports = (await plant.get("/v1/ports")).items;
  const rows = await page.getByRole("region", { name: "Ports of this host" }).getByRole("rowheader").allInnerTexts();
  equal(rows.sort(), ports.map((port) => port.name).sort(), "the ports of this host");
  for (const port of ports.filter((one) => one.section)) {
    const config = join(plant.dir, "pasted.conf");
    // What is spoken there only people know: they take the semicolon away before one of the lines.
    const section = port.section.replace(/^; (protocol = stm32-uart\b)/m, "$1");
    check(section !== port.section, `the section for ${port.name} names the protocols`);
    writeFileSync(config, `${readFileSync(plant.config, "utf8")}\n${section}`);
    const said = spawnSync(plant.programs.daemon, ["--check", "--config", config], { encoding: "utf8" });
    check(said.status === 0, `the section for ${port.name} is taken: ${said.stderr}`);
  }
}

await play({}, async (scene) => {
  await scene.plant.addUser("eva", "engineer");
  const visitor = await scene.browser.enter(scene.plant, "eva", { viewport: LARGE });
  let image;
  await scene.part("upload", async () => (image = await upload(scene, visitor)));
  await scene.part("recipe", () => recipe(scene, visitor, image));
  await scene.part("stale", () => stale(scene, visitor, image));
  await scene.part("order", () => order(scene, visitor));
  await scene.part("refused order", () => refusedOrder(scene, visitor));
  await scene.part("stations", () => stations(scene, visitor));
});

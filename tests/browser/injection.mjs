// SPDX-License-Identifier: Apache-2.0
// Script and markup in every text that a user, an operator's scanner, a file or the configuration can give: it is shown
// as the text it is. Nothing runs, nothing is loaded, no dialog comes up, and the content security policy had nothing
// to stop: the page is inert without it.
import { strangers } from "./eyes.mjs";
import { PLACES, ROLES } from "./farms.mjs";
import { CHIP, PASSWORD, firmware, hexFile } from "./plant.mjs";
import { play } from "./play.mjs";

/** Shapes that have broken pages before; `tellTest` is the test's own ear in the page. Each bears its mark. */
const SHAPES = {
  image: (mark) => `"'><img src=x id=mark-${mark} onerror=tellTest('${mark}')>`,
  script: (mark) => `</title><script id=mark-${mark}>tellTest('${mark}')</script>`,
  svg: (mark) => `<svg id=mark-${mark} onload=tellTest('${mark}')>`,
  link: (mark) => `javascript:tellTest('mark-${mark}')`,
  braces: (mark) => `{{tellTest('mark-${mark}')}}\${tellTest(1)}`,
};
const { image, script, svg, link, braces } = SHAPES;

/** Texts of the configuration, at most 31 characters long. */
function hostileConfiguration(text) {
  let count = 0;
  return text.replace(/^\[station .*\n/gm, (line) => {
    count++;
    const position = count === 1 ? "<img src=x onerror=tellTest()>" : `${count}`;
    return `${line}position = ${position}\nfixture = <svg onload=tellTest(${count})>\n`;
  });
}

/** Names have a grammar: what is no name does not get in. */
async function refusedNames({ plant, equal }) {
  const asked = [
    ["/v1/users", { name: image("user"), roles: ["operator"], password: PASSWORD }],
    ["/v1/keys", { name: image("key"), roles: ["operator"] }],
    ["/v1/serial-pools", { name: image("pool"), first: 1, last: 9 }],
    ["/v1/recipes", { name: image("recipe"), chip: CHIP, images: ["0".repeat(64)] }],
  ];
  for (const [path, body] of asked)
    equal((await plant.ask("POST", path, { body })).status, 422, `${path} takes no markup`);
}

/** Everything that takes any text gets a hostile one. Returns what to look at. */
async function plantMarks({ plant }) {
  const file = await plant.image(firmware(2000), image("file"));
  await plant.post("/v1/serial-pools", {
    name: "boards",
    first: 1,
    last: 9999,
    reason: script("poolreason"),
    format: { prefix: "<b/id=mark-pool>", digits: 4 },
  });
  const recipe = {
    name: "controller",
    description: image("description"),
    chip: CHIP,
    images: [file],
    board_code: "<svg.*|.*",
    fields: [
      { name: svg("field"), address: "0x0801fc00", width: 16, encoding: "ascii", pad: 0, source: { constant: "x" } },
    ],
  };
  await plant.post("/v1/recipes", recipe);
  await plant.demand("POST", "/v1/recipes/controller/1/release", {
    body: { reason: script("releasereason") },
    headers: { "If-Match": "*" },
  });
  await plant.post("/v1/serial-pools/boards/close", { reason: image("closereason") });
  const units = ["A1", "A2"].map((station, at) => ({
    station,
    serial: image(`serial${at}`),
    code: script(`code${at}`),
    colour: svg(`member${at}`),
  }));
  const done = await plant.submit(file, {
    work_order: image("order"),
    description: script("jobdescription"),
    stations: ["A1", "A2"],
    units,
    trigger: "on_start",
  });
  for (const unit of units) await plant.post(`/v1/stations/${unit.station}/scan`, { code: unit.code });
  await plant.jobEnds(done);
  const rework = await plant.submit(file, {
    stations: ["A1"],
    units: [{ serial: image("serial0") }],
    rework: svg("rework"),
  });
  await plant.jobEnds(rework);
  const held = await plant.submit(file, {
    stations: ["A3"],
    trigger: "on_start",
    work_order: link("openorder"),
    quantity: 9,
    units: [1, 2, 3, 4, 5, 6, 7, 8, 9].map((at) => ({ serial: braces(`s${at}`), code: svg(`scan${at}`) })),
  });
  await plant.post(`/v1/jobs/${held}/hold`);
  await plant.submit(file, {
    stations: ["A4"],
    trigger: "on_start",
    work_order: svg("running"),
    quantity: 3,
    units: [1, 2, 3].map((at) => ({ serial: link(`t${at}`), code: image(`panel${at}`), position: svg(`place${at}`) })),
  });
  return { file, done, rework, held };
}

/** Looks for what should not be in a page. */
async function inert({ equal, browser }, visitor, what) {
  equal(await visitor.page.evaluate(strangers), [], `${what}: nothing of strangers in the page`);
  equal(browser.complaints(), [], `${what}: nothing ran, nothing was stopped`);
  browser.said = [];
}

/** Every page, and everything that is looked at on one of its own. Returns what was to be read there. */
async function allPages(scene, role) {
  const { file, done, rework, held } = scene.marks;
  const serial = encodeURIComponent(image("serial0"));
  const order = encodeURIComponent(image("order"));
  const places = [
    ...PLACES,
    `engineer/images?id=${file}`,
    "engineer/recipes?name=controller&version=1",
    `engineer/jobs?id=${done}`,
    `engineer/jobs?id=${held}`,
    `trace?q=${serial}`,
    `trace?q=${order}`,
    `trace?job=${rework}`,
  ];
  const visitor = await scene.browser.enter(scene.plant, role, { viewport: { width: 1920, height: 3000 } });
  let read = "";
  for (const place of places) {
    await visitor.go(place);
    await visitor.quiet();
    await inert(scene, visitor, `${role} at ${place}`);
    read += await visitor.page.evaluate(() =>
      [
        document.body.innerText,
        ...[...document.querySelectorAll("input, textarea, [title]")].map((one) => one.value ?? one.title),
      ].join("\n"),
    );
  }
  await visitor.leave();
  return read;
}

/** As letters, each sign of them: not one has been taken for markup. */
function shownAsText({ check }, read) {
  const wanted = {
    file: image("file"),
    description: image("description"),
    "reason of a release": script("releasereason"),
    "work order": image("order"),
    serial: image("serial0"),
    "scanned code": script("code0"),
    rework: svg("rework"),
    "another work order": link("openorder"),
  };
  for (const [what, text] of Object.entries(wanted)) check(read.includes(text), `${what} is shown as it is: ${text}`);
}

/** What comes in through the page itself: a file that is dropped, and what a scanner types. */
async function typed(scene) {
  const { plant, browser, check } = scene;
  const visitor = await browser.enter(plant, "engineer", { place: "engineer/images" });
  const transfer = await visitor.page.evaluateHandle(
    ([name, text]) => {
      const found = new DataTransfer();
      found.items.add(new File([text], name));
      return found;
    },
    [svg("dropped"), hexFile(firmware(500, 9)).toString()],
  );
  await visitor.page.dispatchEvent(".drop", "drop", { dataTransfer: transfer });
  await visitor.page
    .getByRole("list", { name: "Uploads" })
    .getByText(/stored as/)
    .waitFor();
  check((await visitor.text()).includes(svg("dropped")), "the name of the file is shown as it is");
  await inert(scene, visitor, "after a drop");
  await visitor.go("operate");
  await visitor.page.getByLabel(/^Scan/).waitFor();
  for (const shape of Object.values(SHAPES)) {
    const code = shape("scanned");
    await visitor.page.keyboard.type(code);
    await visitor.page.keyboard.press("Enter");
    await visitor.until("the scan to be answered", async () =>
      (await visitor.page.getByRole("main").innerText()).includes(code),
    );
    await inert(scene, visitor, `after the scan of ${code}`);
  }
  await visitor.leave();
}

/** What is in the address is a stranger's too. */
async function addresses(scene) {
  const visitor = await scene.browser.enter(scene.plant, "engineer");
  for (const shape of Object.values(SHAPES))
    for (const place of [shape("page"), `trace?q=${encodeURIComponent(shape("query"))}`, `line?x=${shape("line")}`]) {
      await visitor.go(place);
      await visitor.quiet();
      await inert(scene, visitor, `#/${place}`);
    }
  await visitor.leave();
}

/** The test's ear hears: each way in would be noticed. */
async function earHears({ browser, plant, check }) {
  const visitor = await browser.enter(plant, "engineer");
  const stopped = await visitor.page.evaluate(() => {
    try {
      document.body.innerHTML = "<img src=x>";
    } catch (error) {
      return error.name;
    }
    return "";
  });
  check(stopped === "TypeError", "markup from a text is refused by the policy");
  await visitor.until("the policy to be told of", () =>
    browser.complaints().some((text) => /^policy: .*trusted/.test(text)),
  );
  await visitor.page.evaluate(() => {
    for (const name of ["script", "img"])
      document.body.append(Object.assign(document.createElement(name), { id: "mark-x" }));
  });
  check((await visitor.page.evaluate(strangers)).length === 2, "what came in otherwise is found");
  await visitor.leave();
  browser.said = [];
}

await play({ change: hostileConfiguration }, async (scene) => {
  const { plant } = scene;
  for (const role of ROLES) await plant.addUser(role, role);
  await scene.part("names are refused", () => refusedNames(scene));
  await scene.part("texts are recorded", async () => {
    scene.marks = await plantMarks(scene);
  });
  await scene.part("the ear hears", () => earHears(scene));
  await scene.part("pages of engineer", async () => shownAsText(scene, await allPages(scene, "engineer")));
  for (const role of ["operator", "admin"]) await scene.part(`pages of ${role}`, () => allPages(scene, role));
  await scene.part("typed", () => typed(scene));
  await scene.part("addresses", () => addresses(scene));
});

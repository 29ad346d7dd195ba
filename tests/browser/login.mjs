// SPDX-License-Identifier: Apache-2.0
// Who logs in is offered what his roles allow and nothing else; the daemon refuses the rest whatever the page shows.
import { PASSWORD } from "./plant.mjs";
import { play } from "./play.mjs";

// What the navigation offers each role.
const OFFERED = {
  operator: ["Line", "Operate", "Jobs", "Trace", "Charts"],
  engineer: ["Line", "Operate", "Images", "Recipes", "Jobs", "Stations", "Trace", "Charts"],
  auditor: ["Line", "Trace", "Charts"],
  admin: ["Line", "Trace", "Charts"],
  mes: ["Line", "Jobs", "Trace", "Charts"],
};

// Something of each role's that he may not do, sent with his own cookie from his own page.
const FORBIDDEN = {
  operator: ["POST", "/v1/images?name=x.hex"],
  engineer: ["POST", "/v1/users"],
  auditor: ["POST", "/v1/jobs"],
  admin: ["POST", "/v1/stations/A1/start"],
  mes: ["POST", "/v1/jobs/1/hold"],
};

async function wrongPassword({ browser, plant, equal, check }) {
  const visitor = await browser.visitor(plant);
  await visitor.open();
  await visitor.page.getByLabel("Name").fill("mia");
  await visitor.page.getByLabel("Password").fill("not her password");
  await visitor.page.keyboard.press("Enter");
  const told = await visitor.page.getByRole("alert").innerText();
  check(/password/i.test(told), `what is wrong is said: ${told}`);
  equal(await visitor.page.getByRole("navigation").count(), 0, "and nothing is shown");
  await visitor.page.getByLabel("Password").fill(PASSWORD);
  await visitor.page.keyboard.press("Enter");
  await visitor.page.getByRole("navigation", { name: "Pages" }).waitFor();
  check((await visitor.text()).includes("mia"), "the page says who works with it");
  await visitor.leave();
}

/** What the daemon answers to a request that the page would never send. */
function force(visitor, [method, path]) {
  return visitor.page.evaluate(
    async ([verb, address]) => {
      const headers = { "Content-Type": "application/json", "Idempotency-Key": "forced" };
      const response = await fetch(address, { method: verb, headers, body: "{}" });
      return [response.status, (await response.json()).title];
    },
    [method, path],
  );
}

async function roleOffered({ browser, plant, equal, check, shot }, role) {
  const visitor = await browser.enter(plant, role);
  const links = visitor.page.getByRole("navigation", { name: "Pages" }).getByRole("link");
  equal(await links.allInnerTexts(), OFFERED[role], `what is offered to ${role}`);
  const [status] = await force(visitor, FORBIDDEN[role]);
  equal(status, 403, `${role}: ${FORBIDDEN[role].join(" ")} is refused`);
  for (const link of await links.all()) {
    await link.click();
    await visitor.settled();
    equal(await link.getAttribute("aria-current"), "page", `${role} is at ${await link.innerText()}`);
    await shot(visitor, `${role}-${(await link.innerText()).toLowerCase()}`);
  }
  return visitor;
}

/** An address that is not offered, typed by hand: the daemon's word is shown, or nothing can be done there. */
async function forcedAddress({ plant, check }, visitor, place) {
  await visitor.go(place);
  const buttons = visitor.page.getByRole("main").getByRole("button");
  const alerts = visitor.page.getByRole("alert");
  const offered = await buttons.allInnerTexts();
  check(
    (await alerts.count()) > 0 || !offered.some((text) => /upload|release|start|enable|submit/i.test(text)),
    `${visitor.user} at ${place} is offered ${offered}`,
  );
  check(await visitor.page.getByRole("navigation", { name: "Pages" }).isVisible(), `${place}: the page still stands`);
}

async function logOut({ check }, visitor) {
  await visitor.page.getByRole("button", { name: "Log out" }).click();
  await visitor.page.getByRole("form", { name: "Log in" }).waitFor();
  const status = await visitor.page.evaluate(async () => (await fetch("/v1/session")).status);
  check(status === 401, "the daemon has forgotten the session too");
}

/** The session ends while somebody works: he is asked to log in, and is where he was afterwards. */
async function sessionLost({ browser, plant, equal }) {
  const visitor = await browser.enter(plant, "operator", { place: "trace" });
  await plant.post("/v1/users/operator/password", { password: PASSWORD }); // ends his sessions, and cuts his stream
  await visitor.page.getByRole("form", { name: "Log in" }).waitFor();
  await visitor.page.getByLabel("Name").fill("operator");
  await visitor.page.getByLabel("Password").fill(PASSWORD);
  await visitor.page.getByRole("button", { name: "Log in" }).click();
  await visitor.settled();
  equal(new URL(visitor.page.url()).hash, "#/trace", "he goes on where he was");
  await visitor.leave();
}

await play({}, async (scene) => {
  await scene.plant.addUser("mia", "operator");
  for (const role of Object.keys(OFFERED)) await scene.plant.addUser(role, role);
  await scene.part("wrong password", () => wrongPassword(scene));
  for (const role of Object.keys(OFFERED))
    await scene.part(role, async () => {
      const visitor = await roleOffered(scene, role);
      if (!OFFERED[role].includes("Images"))
        for (const place of ["engineer/images", "engineer/recipes", "engineer/stations"])
          await forcedAddress(scene, visitor, place);
      await logOut(scene, visitor);
      await visitor.leave();
    });
  await scene.part("session lost", () => sessionLost(scene));
});

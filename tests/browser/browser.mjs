// SPDX-License-Identifier: Apache-2.0
// Debian's chromium, and somebody who sits before it. Whatever a page should never do is collected while he works:
// errors in the console, exceptions, dialogs, breaches of the content security policy, requests to other hosts.
import { existsSync } from "node:fs";
import { packageOf } from "./install.mjs";
import { PASSWORD, until } from "./plant.mjs";

const CHROMIUM = "/usr/bin/chromium";
const LIMIT_MS = 15_000;
export const SMALL = { width: 1366, height: 768 };
export const LARGE = { width: 1920, height: 1080 };

// Refusals are said on the console by the browser itself; the tests look at what the page says of them.
const EXPECTED = [/^Failed to load resource/];

function tellBreaches() {
  document.addEventListener("securitypolicyviolation", (event) =>
    window.tellTest(`policy: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`),
  );
}

export class Browser {
  constructor(chromium) {
    this.chromium = chromium;
    this.visitors = [];
    this.said = [];
  }

  static async start(work, jsFlags = "") {
    if (!existsSync(CHROMIUM)) throw new Error(`${CHROMIUM} is missing: apt-get install chromium`);
    const { chromium } = packageOf(work, "playwright-core");
    const args = [
      "--no-sandbox",
      "--disable-dev-shm-usage",
      "--force-color-profile=srgb",
      "--font-render-hinting=none",
      `--js-flags=${jsFlags}`,
    ];
    return new Browser(await chromium.launch({ executablePath: CHROMIUM, args }));
  }

  /** Somebody before a page of his own, not logged in yet. */
  async visitor(plant, { viewport = SMALL, theme = "light", script = null } = {}) {
    const context = await this.chromium.newContext({ viewport, colorScheme: theme, acceptDownloads: true });
    context.setDefaultTimeout(LIMIT_MS);
    await context.exposeBinding("tellTest", (_, text) => this.complain(text));
    await context.addInitScript(tellBreaches);
    if (script) await context.addInitScript({ content: script });
    const page = await context.newPage();
    const visitor = new Visitor(this, plant, context, page);
    visitor.listen();
    this.visitors.push(visitor);
    return visitor;
  }

  /** The same, logged in, at `place`. */
  async enter(plant, user, options = {}) {
    const visitor = await this.visitor(plant, options);
    await visitor.logIn(user, PASSWORD, options.place);
    return visitor;
  }

  complain(text) {
    if (!EXPECTED.some((pattern) => pattern.test(text))) this.said.push(text);
  }

  complaints() {
    return this.said;
  }

  async close() {
    await this.chromium.close();
  }
}

export class Visitor {
  constructor(browser, plant, context, page) {
    Object.assign(this, { browser, plant, context, page });
    this.asked = new Set();
  }

  listen() {
    this.page.on("console", (message) => {
      if (message.type() === "error") this.browser.complain(message.text());
    });
    this.page.on("pageerror", (error) => this.browser.complain(`exception: ${error.stack}`));
    this.page.on("dialog", (dialog) => {
      this.browser.complain(`dialog: ${dialog.message()}`);
      void dialog.dismiss();
    });
    for (const end of ["requestfinished", "requestfailed"]) this.page.on(end, (request) => this.asked.delete(request));
    this.page.on("request", (request) => {
      const url = request.url();
      if (!url.includes("/v1/events")) this.asked.add(request);
      if (!url.startsWith(this.plant.url) && !/^(data|blob):/.test(url)) this.browser.complain(`asked ${url}`);
    });
  }

  async open(place = "line") {
    await this.page.goto(`${this.plant.url}/#/${place}`);
  }

  async logIn(user, password = PASSWORD, place = "line") {
    await this.open(place);
    await this.page.getByLabel("Name").fill(user);
    await this.page.getByLabel("Password").fill(password);
    await this.page.getByRole("button", { name: "Log in" }).click();
    await this.page.getByRole("navigation", { name: "Pages" }).waitFor();
    this.user = user;
  }

  /** To another page of the dashboard, as a click on its name does. */
  async go(place) {
    await this.page.evaluate((hash) => {
      location.hash = hash;
    }, `#/${place}`);
    await this.settled();
  }

  /** Until the page follows the daemon. */
  async settled() {
    await this.page.locator(".link-live").waitFor();
  }

  /** Until all answers that the page waits for have come, and are shown; the stream of events never ends. */
  async quiet() {
    await this.until("answers", () => this.asked.size === 0);
    await this.page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
    await this.until("answers", () => this.asked.size === 0);
  }

  until(what, ask) {
    return until(what, ask);
  }

  text() {
    return this.page.evaluate(() => document.body.innerText);
  }

  /** The DevTools protocol, for what playwright does not offer. */
  async devtools() {
    this.protocol ??= await this.context.newCDPSession(this.page);
    return this.protocol;
  }

  picture(path) {
    return this.page.screenshot({ path });
  }

  async leave() {
    this.browser.visitors = this.browser.visitors.filter((other) => other !== this);
    await this.context.close();
  }
}

// SPDX-License-Identifier: Apache-2.0
// What an eye would find fault with, computed in the page: each function here is sent there whole, so it uses nothing
// from outside of itself.

/** Scroll bars, and text that an edge cuts off where nothing says that there is more. */
export function scrollFaults({ sideways }) {
  const faults = [];
  const name = (element) =>
    element.tagName.toLowerCase() + (element.classList.length ? `.${[...element.classList].join(".")}` : "");
  const root = document.documentElement;
  if (root.scrollWidth > innerWidth) faults.push(`the page is ${root.scrollWidth} wide`);
  if (!sideways && root.scrollHeight > innerHeight) faults.push(`the page is ${root.scrollHeight} high`);

  function isHidden(element) {
    const box = element.getBoundingClientRect();
    return box.width <= 1 || box.height <= 1; // for screen readers only
  }

  for (const element of document.querySelectorAll("body *")) {
    if (element instanceof SVGElement || isHidden(element)) continue;
    const style = getComputedStyle(element);
    if (element.tagName === "TEXTAREA") continue; // a text of its own, to be copied
    if (/auto|scroll/.test(style.overflowX) && element.scrollWidth > element.clientWidth)
      faults.push(`${name(element)} scrolls sideways: ${element.scrollWidth} in ${element.clientWidth}`);
    if (!sideways && /auto|scroll/.test(style.overflowY) && element.scrollHeight > element.clientHeight)
      faults.push(`${name(element)} scrolls: ${element.scrollHeight} in ${element.clientHeight}`);
  }

  /** How far `box` reaches over the edges of what clips it; 0 where dots say so, or it can be scrolled to. */
  function cut(element, box) {
    for (let at = element; at && at !== document.body; at = at.parentElement) {
      const style = getComputedStyle(at);
      if (style.textOverflow === "ellipsis" || style.webkitLineClamp !== "none") return 0;
      if (style.overflowX === "visible" && style.overflowY === "visible") continue;
      if (/auto|scroll/.test(style.overflowX + style.overflowY)) return 0;
      if (isHidden(at)) return 0;
      const edge = at.getBoundingClientRect();
      return Math.max(edge.left - box.left, box.right - edge.right, edge.top - box.top, box.bottom - edge.bottom);
    }
    return sideways ? box.right - innerWidth : Math.max(box.right - innerWidth, box.bottom - innerHeight, -box.top);
  }

  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !element.checkVisibility({ visibilityProperty: true })) continue;
    if (element.closest("svg, noscript, option, textarea") || isHidden(element)) continue;
    const range = document.createRange();
    range.selectNodeContents(walker.currentNode);
    for (const box of range.getClientRects()) {
      const over = box.width ? cut(element, box) : 0;
      if (over > 2)
        faults.push(`“${walker.currentNode.data.trim().slice(0, 30)}” in ${name(element)} is cut by ${over}`);
    }
  }
  return [...new Set(faults)].slice(0, 12);
}

/**
 * Text under 4.5 : 1 (3 : 1 where large) and signs under 3 : 1 against what is behind them, as everybody sees them and
 * as an eye without green cones does. (In greyscale the ratio is the same: it is one of luminances.)
 */
export function contrastFaults() {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 1;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const known = new Map();

  function parse(colour) {
    if (!known.has(colour)) {
      context.clearRect(0, 0, 1, 1);
      context.fillStyle = colour;
      context.fillRect(0, 0, 1, 1);
      const [r, g, b, a] = context.getImageData(0, 0, 1, 1).data;
      known.set(colour, { rgb: [r, g, b], alpha: a / 255 });
    }
    return known.get(colour);
  }

  const over = (top, alpha, below) => top.map((value, at) => alpha * value + (1 - alpha) * below[at]);

  /** What is painted behind a point of an element, the lowest first. */
  function ground(element, x, y) {
    const layers = [];
    const stack = document.elementsFromPoint(x, y);
    const from = stack.indexOf(element);
    const behind = new Set(from < 0 ? [] : stack.slice(from));
    for (let at = element; at; at = at.parentElement) behind.add(at);
    const order = [...behind].sort((a, b) => {
      const [i, j] = [stack.indexOf(a), stack.indexOf(b)];
      if (i >= 0 && j >= 0) return i - j;
      return a.contains(b) ? 1 : -1;
    });
    for (const at of order) {
      const { rgb, alpha } = parse(getComputedStyle(at).backgroundColor);
      if (alpha > 0) layers.unshift({ rgb, alpha });
      if (alpha === 1) break;
    }
    return layers.reduce((below, { rgb, alpha }) => over(rgb, alpha, below), [255, 255, 255]);
  }

  const linear = (rgb) => rgb.map((v) => (v <= 10.31475 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
  const luminance = ([r, g, b]) => 0.2126 * r + 0.7152 * g + 0.0722 * b;
  // Machado, Oliveira and Fernandes 2009, deuteranomaly of severity 1
  const withoutGreen = ([r, g, b]) =>
    [
      0.367322 * r + 0.860646 * g - 0.227968 * b,
      0.280085 * r + 0.672501 * g + 0.047413 * b,
      -0.01182 * r + 0.04294 * g + 0.968881 * b,
    ].map((v) => Math.min(1, Math.max(0, v)));

  function ratio(a, b, see = (colour) => colour) {
    const [high, low] = [luminance(see(linear(a))), luminance(see(linear(b)))].sort((x, y) => y - x);
    return (high + 0.05) / (low + 0.05);
  }

  function opacity(element) {
    let all = 1;
    for (let at = element; at; at = at.parentElement) all *= Number(getComputedStyle(at).opacity);
    return all;
  }

  const faults = new Map();
  let looked = 0;

  function look(element, colour, box, least, what) {
    const { rgb, alpha } = parse(colour);
    looked++;
    for (const part of [0.1, 0.5, 0.9]) {
      const behind = ground(element, box.left + part * box.width, box.top + box.height / 2);
      const seen = over(rgb, alpha * opacity(element), behind);
      const least2 = Math.min(ratio(seen, behind), ratio(seen, behind, withoutGreen));
      if (least2 < least - 0.02) {
        const where = `${element.tagName.toLowerCase()}.${element.getAttribute("class") ?? ""}`;
        faults.set(
          where + what.slice(0, 20),
          `${where} “${what}”: ${least2.toFixed(2)} of ${least}, ${seen.map(Math.round)} on ${behind.map(Math.round)}`,
        );
      }
    }
  }

  const isShown = (element) => element.checkVisibility({ visibilityProperty: true, opacityProperty: false });
  const isOff = (element) => element.closest(":disabled, [aria-disabled=true]");

  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode.data.trim();
    const element = walker.currentNode.parentElement;
    if (!text || !isShown(element) || isOff(element) || element.closest("noscript, option")) continue;
    const range = document.createRange();
    range.selectNodeContents(walker.currentNode);
    const box = range.getBoundingClientRect();
    if (box.width < 2 || box.height < 2) continue;
    const style = getComputedStyle(element);
    const size = parseFloat(style.fontSize);
    const isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    const colour = element.closest("svg") ? style.fill : style.color;
    look(element, colour, box, isLarge ? 3 : 4.5, text.slice(0, 40));
  }
  for (const field of document.querySelectorAll("input, select, textarea")) {
    if (!isShown(field) || isOff(field)) continue;
    const box = field.getBoundingClientRect();
    if (box.width < 2) continue;
    if (field.value && field.type !== "checkbox") look(field, getComputedStyle(field).color, box, 4.5, "value");
    if (field.placeholder && !field.value)
      look(field, getComputedStyle(field, "::placeholder").color, box, 4.5, `placeholder ${field.placeholder}`);
  }
  for (const shape of document.querySelectorAll("svg.icon")) {
    if (!isShown(shape) || isOff(shape)) continue;
    look(
      shape.parentElement,
      getComputedStyle(shape).stroke,
      shape.getBoundingClientRect(),
      3,
      shape.getAttribute("class"),
    );
  }
  return { looked, faults: [...faults.values()] };
}

/** What a page must not hold when strings of strangers are shown in it: anything that is not of the page's own making. */
export function strangers() {
  const found = [];
  for (const script of document.querySelectorAll("script"))
    if (new URL(script.src || "about:blank").pathname !== "/app.js") found.push(script.outerHTML);
  for (const element of document.querySelectorAll(
    "img, iframe, object, embed, base, link, form, a, audio, video, meta",
  )) {
    for (const name of ["src", "href", "action", "data", "formaction", "srcdoc"]) {
      const value = element.getAttribute(name);
      if (value && /^\s*(javascript|vbscript|data:text)/i.test(value)) found.push(element.outerHTML);
    }
    if (/^(IMG|IFRAME|OBJECT|EMBED|BASE|AUDIO|VIDEO)$/.test(element.tagName) && /mark-/.test(element.outerHTML))
      found.push(element.outerHTML);
  }
  for (const element of document.querySelectorAll("*"))
    for (const { name } of element.attributes) if (/^on/i.test(name)) found.push(element.outerHTML.slice(0, 200));
  return found;
}

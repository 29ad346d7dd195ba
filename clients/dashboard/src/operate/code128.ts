// SPDX-License-Identifier: Apache-2.0
/* Code 128 (ISO/IEC 15417), code sets B and C. A symbol is three bars and three spaces, eleven modules wide together,
 * the stop one bar more; after the data comes a check symbol, the sum of all values weighted by their places. */

// Widths of bar, space, bar, space, bar, space for the values 0 to 105.
const widths =
  "212222222122222221121223121322131222122213122312132212221213221312231212112232122132122231113222123122123221223211" +
  "221132221231213212223112312131311222321122321221312212322112322211212123212321232121111323131123131321112313132113" +
  "132311211313231113231311112133112331132131113123113321133121313121211331231131213113213311213131311123311321331121" +
  "312113312311332111314111221411431111111224111422121124121421141122141221112214112412122114122411142112142211241211" +
  "221114413111241112134111111242121142121241114212124112124211411212421112421211212141214121412121111143111341131141" +
  "114113114311411113411311113141114131311141411131211412211214211232";
const STOP = "2331112";
const START_B = 104;
const START_C = 105;
const TO_B = 100;
const TO_C = 99;
const FIRST = 32;
const LAST = 126;

/** Whether the text can be a bar code: printable ASCII, and not empty. */
export function isEncodable(text: string): boolean {
  return text.length > 0 && [...text].every((sign) => sign.charCodeAt(0) >= FIRST && sign.charCodeAt(0) <= LAST);
}

function digitsFrom(text: string, at: number): number {
  return /^\d*/.exec(text.slice(at))?.[0].length ?? 0;
}

/** Pairs of digits are one symbol in set C, where changing to it and back costs less than it saves. */
function worthC(text: string, at: number): boolean {
  const digits = digitsFrom(text, at);
  return digits >= 6 || (digits >= 4 && (at === 0 || at + digits === text.length));
}

/** The values of the symbols, from the start to the check symbol; without the stop. */
export function symbols(text: string): number[] {
  if (!isEncodable(text)) throw new RangeError("only printable ASCII can be a Code 128 of this page");
  const values: number[] = [];
  let inC = worthC(text, 0);
  values.push(inC ? START_C : START_B);
  for (let at = 0; at < text.length; ) {
    if (inC && digitsFrom(text, at) >= 2) {
      values.push(Number(text.slice(at, at + 2)));
      at += 2;
    } else if (!inC && digitsFrom(text, at) % 2 === 0 && worthC(text, at)) {
      values.push(TO_C);
      inC = true;
    } else {
      if (inC) values.push(TO_B);
      inC = false;
      values.push(text.charCodeAt(at) - FIRST);
      at++;
    }
  }
  values.push(values.reduce((sum, value, place) => sum + value * Math.max(place, 1), 0) % 103);
  return values;
}

export interface Bar {
  x: number;
  width: number;
}

/** The dark bars in modules; `modules` is the width of all without the quiet zones (10 modules on either side). */
export function bars(text: string): { bars: Bar[]; modules: number } {
  const pattern = symbols(text).map((value) => widths.slice(value * 6, value * 6 + 6)).join("") + STOP;
  const dark: Bar[] = [];
  let x = 0;
  [...pattern].forEach((digit, index) => {
    if (index % 2 === 0) dark.push({ x, width: Number(digit) });
    x += Number(digit);
  });
  return { bars: dark, modules: x };
}

// SPDX-License-Identifier: Apache-2.0
/* The box that scans go into. A scanner is a keyboard: whatever is typed on the page goes there, wherever the focus is,
 * and Enter ends it, so that no key of a code presses a button. The text stays until Enter, however long it takes. */
import type { RefObject } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { takeScan } from "./scans";

const FIELDS = "input, textarea, select, [contenteditable]";
const PRESSABLE = "button, a[href], summary";

function submit(box: HTMLInputElement): void {
  const text = box.value;
  box.value = "";
  takeScan(text);
}

/** Whether the key is for what has the focus: another field, or a button that is pressed while no scan is typed. */
function isForFocus(event: KeyboardEvent, box: HTMLInputElement): boolean {
  const target = event.target as Element;
  if (target !== box && target.matches(FIELDS)) return true;
  const presses = event.key === "Enter" || event.key === " ";
  return presses && box.value === "" && target.closest(PRESSABLE) !== null;
}

function takeKey(event: KeyboardEvent, box: HTMLInputElement): void {
  if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
  if (isForFocus(event, box)) return;
  if (event.key === "Enter") {
    event.preventDefault();
    if (!event.repeat) submit(box);
    box.focus();
  } else if (event.target !== box && event.key.length === 1) {
    event.preventDefault();
    box.value += event.key;
    box.focus();
  }
}

/** Keeps the focus in the box, but for who walks the page by keyboard. */
function useScanner(ref: RefObject<HTMLInputElement | null>): void {
  useEffect(() => {
    const box = ref.current;
    if (!box) return undefined;
    const key = (event: KeyboardEvent) => takeKey(event, box);
    const back = () => {
      if (!document.activeElement || document.activeElement === document.body) box.focus();
    };
    const click = () => {
      if (!document.activeElement?.matches(FIELDS)) box.focus();
    };
    window.addEventListener("keydown", key, true);
    window.addEventListener("focus", back);
    window.addEventListener("click", click);
    box.focus();
    return () => {
      window.removeEventListener("keydown", key, true);
      window.removeEventListener("focus", back);
      window.removeEventListener("click", click);
    };
  }, [ref]);
}

export function ScanBox() {
  const ref = useRef<HTMLInputElement>(null);
  useScanner(ref);
  return (
    <label class="op-scan">
      Scan
      <input
        ref={ref}
        type="text"
        class="mono"
        aria-label="Scan a board, a panel, a command or a work order"
        placeholder="board, panel or command"
        autocomplete="off"
        autocapitalize="off"
        spellcheck={false}
        maxLength={400}
      />
    </label>
  );
}

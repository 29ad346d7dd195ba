// SPDX-License-Identifier: Apache-2.0
import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";

/** A button that shows more over the page, moving nothing; Escape, or a click elsewhere, puts it away. */
export function Disclosure({ label, name, children }: {
  /** on the button */
  label: ComponentChildren;
  /** of the button, where the label is no words */
  name?: string;
  children: ComponentChildren;
}) {
  const [open, setOpen] = useState(false);
  const box = useRef<HTMLSpanElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  const id = useId();

  useEffect(() => {
    if (!open) return undefined;
    const elsewhere = (event: Event) => {
      if (!box.current?.contains(event.target as Node)) setOpen(false);
    };
    addEventListener("pointerdown", elsewhere);
    addEventListener("focusin", elsewhere);
    return () => {
      removeEventListener("pointerdown", elsewhere);
      removeEventListener("focusin", elsewhere);
    };
  }, [open]);

  function key(event: KeyboardEvent) {
    if (event.key !== "Escape" || !open) return;
    event.stopPropagation();
    setOpen(false);
    button.current?.focus();
  }

  return (
    <span class="disclosure" ref={box} onKeyDown={key}>
      <button
        type="button"
        ref={button}
        aria-expanded={open}
        aria-controls={id}
        {...(name ? { "aria-label": name } : {})}
        onClick={() => setOpen(!open)}
      >
        {label}
      </button>
      {open ? (
        <div class="disclosed" id={id}>
          {children}
        </div>
      ) : null}
    </span>
  );
}

// SPDX-License-Identifier: Apache-2.0
import { useState } from "preact/hooks";
import { answer, client } from "../core/api";
import type { components } from "../generated/contract";
import { ProblemNote } from "../ui/parts";
import { FormProblem, Select, TextBox } from "./controls";
import { useAction } from "./parts";

type PoolOrder = components["schemas"]["PoolOrder"];
type Format = components["schemas"]["NumberFormat"];

const empty = {
  name: "",
  kind: "serial",
  first: "",
  last: "",
  step: "1",
  prefix: "",
  digits: "6",
  suffix: "",
  date: "",
  check: "",
};
type Texts = typeof empty;

function digitsOnly(text: string): number | string {
  return /^[0-9]+$/.test(text) ? Number(text) : text;
}

function formatOf(texts: Texts): Format {
  return {
    digits: Number(texts.digits),
    ...(texts.prefix && { prefix: texts.prefix }),
    ...(texts.suffix && { suffix: texts.suffix }),
    ...(texts.date && { date: texts.date as NonNullable<Format["date"]> }),
    ...(texts.check && { check: texts.check as NonNullable<Format["check"]> }),
  };
}

function orderOf(texts: Texts): PoolOrder {
  const range = {
    ...(texts.first && { first: digitsOnly(texts.first) }),
    ...(texts.last && { last: digitsOnly(texts.last) }),
  };
  if (texts.kind === "eui48") return { name: texts.name, kind: "eui48", ...range, step: Number(texts.step) };
  return { name: texts.name, kind: "serial", ...range, format: formatOf(texts) };
}

interface PartProps {
  texts: Texts;
  put(member: keyof Texts): (text: string) => void;
}

function SerialParts({ texts, put }: PartProps) {
  return (
    <>
      <TextBox label="Prefix" maxLength={23} value={texts.prefix} onValue={put("prefix")} />
      <Select label="Date" hint="of the day it is given out" value={texts.date} onValue={put("date")}>
        <option value="">none</option>
        {["YYMMDD", "YYYYMMDD", "YYWW", "YYMM", "YYYY"].map((form) => (
          <option key={form}>{form}</option>
        ))}
      </Select>
      <TextBox
        label="Digits"
        hint="with leading zeros"
        type="number"
        min={1}
        max={18}
        required
        value={texts.digits}
        onValue={put("digits")}
      />
      <Select label="Check digits" value={texts.check} onValue={put("check")}>
        <option value="">none</option>
        {["mod10", "mod11", "mod97"].map((rule) => (
          <option key={rule}>{rule}</option>
        ))}
      </Select>
      <TextBox label="Suffix" maxLength={23} value={texts.suffix} onValue={put("suffix")} />
    </>
  );
}

function Range({ texts, put }: PartProps) {
  const addresses = texts.kind === "eui48";
  return (
    <>
      <TextBox
        label="First"
        name="first"
        hint={addresses ? "00:1A:2B:00:00:00" : "empty: 1"}
        required={addresses}
        value={texts.first}
        onValue={put("first")}
      />
      <TextBox label="Last" name="last" hint="included" required value={texts.last} onValue={put("last")} />
      {addresses ? (
        <TextBox
          label="Step"
          hint="addresses that each unit takes"
          type="number"
          min={1}
          max={1000000}
          value={texts.step}
          onValue={put("step")}
        />
      ) : (
        <SerialParts texts={texts} put={put} />
      )}
    </>
  );
}

export function PoolForm({ onMade }: { onMade: () => void }) {
  const [texts, setTexts] = useState(empty);
  const action = useAction();
  const put = (member: keyof Texts) => (text: string) => setTexts((old) => ({ ...old, [member]: text }));

  async function submit() {
    if (await action.run(() => answer(client.POST("/v1/serial-pools", { body: orderOf(texts) })))) onMade();
  }

  return (
    <FormProblem.Provider value={action.problem}>
      <form
        class="pool-form"
        aria-label="New serial pool"
        onSubmit={(event) => {
          event.preventDefault();
          void submit();
        }}
      >
        <div class="form">
          <TextBox
            label="Name"
            name="name"
            required
            pattern="[A-Za-z0-9_\-][A-Za-z0-9._\-]{0,62}"
            title="1 to 63 letters, digits, “.”, “_” or “-”"
            value={texts.name}
            onValue={put("name")}
          />
          <Select label="Kind" value={texts.kind} onValue={put("kind")}>
            <option value="serial">serial numbers</option>
            <option value="eui48">EUI-48 (MAC) addresses</option>
          </Select>
          <Range texts={texts} put={put} />
        </div>
        <ProblemNote problem={action.problem} />
        <div class="buttons">
          <small>A pool cannot be changed later, only closed.</small>
          <button type="submit" class="primary" disabled={action.busy}>
            Make the pool
          </button>
        </div>
      </form>
    </FormProblem.Provider>
  );
}

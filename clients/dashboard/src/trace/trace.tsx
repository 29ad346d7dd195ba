// SPDX-License-Identifier: Apache-2.0
/* One box to search in, and what was found. */
import { useEffect, useRef, useState } from "preact/hooks";
import { recent } from "../core/farm";
import { go, route, to } from "../core/router";
import { Icon } from "../ui/icons";
import { Panel, ProblemNote, useAnswer } from "../ui/parts";
import { ImageView } from "./image";
import { JobView, WorkOrderView } from "./order";
import { RunPage } from "./run";
import { RunRows } from "./runs_table";
import { type Findings, type Meaning, type Subject, search } from "./search";
import "./trace.css";
import { UnitView } from "./unit";

const SUBJECTS: readonly Subject[] = ["serial", "work_order", "image", "run", "job"];

function View({ subject, id }: { subject: Subject; id: string }) {
  const key = `${subject} ${id}`;
  switch (subject) {
    case "serial":
      return <UnitView key={key} text={id} />;
    case "work_order":
      return <WorkOrderView key={key} name={id} />;
    case "image":
      return <ImageView key={key} id={id} />;
    case "run":
      return <RunPage key={key} id={Number(id)} />;
    case "job":
      return <JobView key={key} id={Number(id)} />;
  }
}

/** A scanner types like a keyboard: what it types while nothing is being typed into goes to the box. */
function useTyping(box: { current: HTMLInputElement | null }) {
  useEffect(() => {
    function typed(event: KeyboardEvent) {
      const target = event.target as HTMLElement;
      if (event.key.length !== 1 || event.key === " " || event.ctrlKey || event.altKey || event.metaKey) return;
      if (target.closest("input, select, textarea")) return;
      box.current?.select(); // and the key goes on into it
    }
    addEventListener("keydown", typed);
    return () => removeEventListener("keydown", typed);
  }, [box]);
}

function SearchBox({ text, onSearch }: { text: string; onSearch: (text: string) => void }) {
  const box = useRef<HTMLInputElement>(null);
  useTyping(box);
  useEffect(() => {
    const input = box.current;
    if (!input) return;
    input.value = text;
    input.focus();
    input.select();
  }, [text]);

  function submit(event: SubmitEvent) {
    event.preventDefault();
    const asked = box.current?.value.trim() ?? "";
    box.current?.select();
    if (asked) onSearch(asked);
  }
  return (
    <form class="trace-search" role="search" onSubmit={submit}>
      <label for="trace-text">Serial, chip UID, work order, image, run or job</label>
      <input
        id="trace-text"
        ref={box}
        type="search"
        class="mono"
        autocomplete="off"
        autocapitalize="off"
        spellcheck={false}
        placeholder="scan or type, then Enter"
      />
      <button type="submit" class="primary">
        Search
      </button>
    </form>
  );
}

function Choice({ found }: { found: Meaning[] }) {
  return (
    <Panel title={`${found.length} things are meant by that`}>
      <ul class="choice">
        {found.map((meaning) => (
          <li key={`${meaning.subject} ${meaning.id}`}>
            <a href={to("trace", { [meaning.subject]: meaning.id })}>
              <span class="choice-what">{meaning.what}</span> <strong class="mono">{meaning.name}</strong>{" "}
              <span class="soft">{meaning.detail}</span>
            </a>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

function Nothing({ text, findings }: { text: string; findings: Findings }) {
  return (
    <Panel title={`Nothing is known of “${text}”`}>
      <p>Looked for:</p>
      <ul>
        {findings.looked.map((words) => (
          <li key={words}>{words}</li>
        ))}
      </ul>
    </Panel>
  );
}

function Trouble({ trouble }: { trouble: string[] }) {
  if (!trouble.length) return null;
  return (
    <div class="note note-bad" role="alert">
      <Icon name="warning" /> <strong>Could not look everywhere.</strong>
      <ul>
        {trouble.map((text) => (
          <li key={text}>{text}</li>
        ))}
      </ul>
    </div>
  );
}

function told(text: string, findings: Findings | null): string {
  if (!findings) return `Searching for ${text}`;
  const [only] = findings.found;
  if (!only) return `Nothing is known of ${text}`;
  return findings.found.length > 1 ? `${findings.found.length} meanings of ${text}` : `${only.what} ${only.name}`;
}

function Result({ text, round }: { text: string; round: number }) {
  const { value, problem, busy } = useAnswer(() => search(text), [text, round]);
  const findings = busy ? null : value;
  const [only] = findings?.found.length === 1 ? findings.found : [];
  return (
    <>
      <p class="hidden" role="status">
        {told(text, findings)}
      </p>
      <ProblemNote problem={problem} />
      {!findings && <p class="empty">Searching…</p>}
      {findings && <Trouble trouble={findings.trouble} />}
      {only && <View subject={only.subject} id={only.id} />}
      {findings && findings.found.length > 1 && <Choice found={findings.found} />}
      {findings && !findings.found.length && <Nothing text={text} findings={findings} />}
    </>
  );
}

function Recent() {
  const runs = recent.value;
  return (
    <Panel title="Last runs">
      {runs.length ? <RunRows runs={runs} caption="The last runs that ended" /> : <p class="empty">No run yet.</p>}
    </Panel>
  );
}

export function TracePage() {
  const { query } = route.value;
  const [round, setRound] = useState(0);
  const text = query.get("q") ?? "";
  const subject = SUBJECTS.find((name) => query.has(name));

  function onSearch(asked: string) {
    setRound(round + 1); // the same text again is searched again
    go("trace", { q: asked });
  }
  return (
    <div class="trace">
      <h1 class="hidden">Trace</h1>
      <SearchBox text={text || (subject ? (query.get(subject) ?? "") : "")} onSearch={onSearch} />
      {text ? (
        <Result text={text} round={round} key={text} />
      ) : subject ? (
        <View subject={subject} id={query.get(subject) ?? ""} />
      ) : (
        <Recent />
      )}
    </div>
  );
}

// SPDX-License-Identifier: Apache-2.0
import { useState } from "preact/hooks";
import { type Problem, asProblem } from "../core/api";
import { logIn, sessionLost } from "../core/session";
import { ProblemNote } from "./parts";

export function LogIn() {
  const [problem, setProblem] = useState<Problem | null>(null);
  const [busy, setBusy] = useState(false);

  async function submit(event: SubmitEvent) {
    event.preventDefault();
    const data = new FormData(event.currentTarget as HTMLFormElement);
    setBusy(true);
    try {
      await logIn(String(data.get("name")), String(data.get("password")));
    } catch (thrown) {
      setProblem(asProblem(thrown));
    } finally {
      setBusy(false);
    }
  }

  return (
    <main class="login">
      <form onSubmit={(event) => void submit(event)} aria-label="Log in">
        <h1>flashfarm</h1>
        {sessionLost.value ? (
          <p role="status">Your session has ended. When you log in again you are told what happened meanwhile.</p>
        ) : null}
        <label>
          Name
          <input name="name" autocomplete="username" required autofocus />
        </label>
        <label>
          Password
          <input name="password" type="password" autocomplete="current-password" required />
        </label>
        <button type="submit" class="primary" disabled={busy}>
          Log in
        </button>
        <ProblemNote problem={problem} />
      </form>
    </main>
  );
}

// SPDX-License-Identifier: Apache-2.0
import { render } from "preact";
import { useEffect, useState } from "preact/hooks";
import "./app.css";
import { ChartsPage } from "./charts/charts";
import { type Problem, asProblem } from "./core/api";
import { follow, leave } from "./core/farm";
import { route } from "./core/router";
import { caller, isLoggedIn, unreachable, whoAmI } from "./core/session";
import "./core/theme";
import { ImagesPage } from "./engineer/images";
import { JobsPage } from "./engineer/jobs";
import { RecipesPage } from "./engineer/recipes";
import { StationsPage } from "./engineer/stations";
import { LinePage } from "./line/line";
import { CodesPage } from "./operate/codes";
import { OperatePage } from "./operate/operate";
import { TracePage } from "./trace/trace";
import { LogIn } from "./ui/login";
import { Empty, ProblemNote } from "./ui/parts";
import { Shell } from "./ui/shell";

const RETRY_MS = 2000;

const pages: Record<string, () => preact.JSX.Element> = {
  line: LinePage,
  operate: OperatePage,
  "operate/codes": CodesPage,
  "engineer/images": ImagesPage,
  "engineer/recipes": RecipesPage,
  "engineer/jobs": JobsPage,
  "engineer/stations": StationsPage,
  trace: TracePage,
  charts: ChartsPage,
};

function Page() {
  const Chosen = pages[route.value.page];
  return Chosen ? <Chosen /> : <Empty>There is no page “{route.value.page}”.</Empty>;
}

/** Follows the farm for as long as somebody is logged in. */
function Inside() {
  const [problem, setProblem] = useState<Problem | null>(null);
  const [round, setRound] = useState(0);

  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    follow().then(
      () => setProblem(null),
      (thrown: unknown) => {
        setProblem(asProblem(thrown));
        timer = setTimeout(() => setRound((count) => count + 1), RETRY_MS);
      },
    );
    return () => {
      clearTimeout(timer);
      leave();
    };
  }, [round]);
  return (
    <Shell>
      <ProblemNote problem={problem} />
      <Page />
    </Shell>
  );
}

function App() {
  useEffect(() => {
    if (!unreachable.value) return undefined;
    const timer = setTimeout(() => void whoAmI(), RETRY_MS);
    return () => clearTimeout(timer);
  });
  if (isLoggedIn.value) return <Inside />;
  if (caller.value === null) return <LogIn />;
  return <ProblemNote problem={unreachable.value} />;
}

void whoAmI();
render(<App />, document.getElementById("app") as HTMLElement);

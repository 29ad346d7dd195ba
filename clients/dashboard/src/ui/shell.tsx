// SPDX-License-Identifier: Apache-2.0
/* What is around every page: where one can go, who one is, whether the daemon is there. */
import type { ComponentChildren } from "preact";
import { clockTime } from "../core/format";
import { alarms, heardAt, link, linkMessage, stale } from "../core/farm";
import { kiosk } from "../core/kiosk";
import { route, to } from "../core/router";
import { type Operation, caller, logOut, may } from "../core/session";
import { nextTheme, theme } from "../core/theme";
import { Icon } from "./icons";
import { Missed } from "./missed";

interface Place {
  page: string;
  label: string;
  /** shown to who may do this */
  needs: Operation;
}

const places: Place[] = [
  { page: "line", label: "Line", needs: "listStations" },
  { page: "operate", label: "Operate", needs: "startStation" },
  { page: "engineer/images", label: "Images", needs: "addImage" },
  { page: "engineer/recipes", label: "Recipes", needs: "createRecipe" },
  { page: "engineer/jobs", label: "Jobs", needs: "submitJob" },
  { page: "engineer/stations", label: "Stations", needs: "enableStation" },
  { page: "trace", label: "Trace", needs: "listRuns" },
  { page: "charts", label: "Charts", needs: "listRuns" },
];

function Places() {
  const here = route.value.page;
  return (
    <nav aria-label="Pages">
      {places
        .filter((place) => may(place.needs))
        .map((place) => (
          <a key={place.page} href={to(place.page)} aria-current={here === place.page ? "page" : undefined}>
            {place.label}
          </a>
        ))}
    </nav>
  );
}

export function LinkState() {
  const word = { connecting: "connecting", live: "live", broken: "not connected" }[link.value];
  return (
    <span class={`link link-${link.value}`} role="status" title={linkMessage.value}>
      <Icon name={link.value === "broken" ? "link-broken" : "link"} /> {word}
    </span>
  );
}

function AlarmCount() {
  const open = alarms.value.filter((alarm) => !alarm.acknowledged).length;
  if (!open) return null;
  return (
    <a class="alarm-count" href={to("line")}>
      <Icon name="warning" /> {open} {open === 1 ? "alarm" : "alarms"}
    </a>
  );
}

/** Old figures may never look alive. What is beneath stays readable. */
function Stale() {
  if (!stale.value) return null;
  return (
    <div class="stale" role="alert">
      <strong>STALE</strong>
      <span>since {clockTime(new Date(heardAt.value).toISOString())}</span>
      <small>The daemon is not heard. What is shown is as it was then.</small>
    </div>
  );
}

function Bar() {
  return (
    <header class="top">
      <a class="brand" href={to("line")}>
        flashfarm
      </a>
      <Places />
      <span class="grow" />
      <AlarmCount />
      <LinkState />
      <button
        type="button"
        class="plain-button"
        onClick={nextTheme}
        aria-label={`Colours: ${theme.value}`}
        title={`Colours: ${theme.value}`}
      >
        <Icon name="contrast" />
      </button>
      <span class="who">{caller.value?.name}</span>
      <button type="button" class="plain-button" onClick={() => void logOut()}>
        Log out
      </button>
    </header>
  );
}

export function Shell({ children }: { children: ComponentChildren }) {
  return (
    <div class={stale.value ? "shell shell-stale" : "shell"}>
      {kiosk.value && route.value.page === "line" ? null : <Bar />}
      <Missed />
      <main class="page">{children}</main>
      <Stale />
    </div>
  );
}

// SPDX-License-Identifier: Apache-2.0
/* Orders: making one, and what becomes of them. */
import { useEffect } from "preact/hooks";
import { route } from "../core/router";
import { may } from "../core/session";
import "./engineer.css";
import { JobDetail } from "./job_detail";
import { DryRunPanel, JobForm } from "./job_form";
import { OpenJobs, PastJobs } from "./job_list";
import { mayOrderFreely, put } from "./job_order";

/** What a link to this page wants to be ordered. */
function takeLink(query: URLSearchParams): void {
  const recipe = query.get("recipe");
  const image = query.get("image");
  if (recipe) put({ kind: "recipe", recipe });
  else if (image && mayOrderFreely()) put({ kind: "image", image, chip: query.get("chip") ?? "" });
}

export function JobsPage() {
  const query = route.value.query;
  const id = Number(query.get("id"));

  useEffect(() => takeLink(query), [query]);
  return (
    <div class="engineer">
      <h1>Jobs</h1>
      <div class="halves jobs-page">
        {may("submitJob") ? <JobForm /> : null}
        <div>
          <DryRunPanel />
          {id > 0 ? <JobDetail id={id} /> : null}
          <OpenJobs chosen={id} />
          <PastJobs chosen={id} />
        </div>
      </div>
    </div>
  );
}

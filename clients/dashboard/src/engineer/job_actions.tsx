// SPDX-License-Identifier: Apache-2.0
import { useState } from "preact/hooks";
import { type Job, answer, client } from "../core/api";
import { revision } from "../core/farm";
import { may } from "../core/session";
import { ProblemNote } from "../ui/parts";
import { Dialog, useAction } from "./parts";

type Command = "hold" | "resume" | "cancel";

const paths = {
  hold: "/v1/jobs/{id}/hold",
  resume: "/v1/jobs/{id}/resume",
  cancel: "/v1/jobs/{id}/cancel",
} as const;

function CancelDialog({ job, onClose }: { job: Job; onClose: () => void }) {
  const action = useAction();

  async function confirm() {
    if (await action.run(() => order(job, "cancel"))) onClose();
  }

  return (
    <Dialog
      title={`Cancel job ${job.id}?`}
      confirm="Cancel the job"
      back="Let it go on"
      busy={action.busy}
      problem={action.problem}
      onConfirm={() => void confirm()}
      onClose={onClose}
    >
      <p>
        {job.counts.passed} of {job.quantity} boards have passed
        {job.in_flight ? `; ${job.in_flight} are being programmed and will be stopped` : ""}. A cancelled job cannot be
        taken up again.
      </p>
    </Dialog>
  );
}

async function order(job: Job, command: Command): Promise<void> {
  await answer(client.POST(paths[command], { params: { path: { id: job.id } } }));
  revision.value++;
}

export function JobButtons({ job }: { job: Job }) {
  const [asking, setAsking] = useState(false);
  const action = useAction();
  const open = job.state === "running" || job.state === "held";
  if (!open) return null;
  return (
    <>
      {job.state === "running" && may("holdJob") ? (
        <button type="button" disabled={action.busy} onClick={() => void action.run(() => order(job, "hold"))}>
          Hold<span class="hidden"> job {job.id}</span>
        </button>
      ) : null}
      {job.state === "held" && may("resumeJob") ? (
        <button type="button" disabled={action.busy} onClick={() => void action.run(() => order(job, "resume"))}>
          Resume<span class="hidden"> job {job.id}</span>
        </button>
      ) : null}
      {may("cancelJob") ? (
        <button type="button" onClick={() => setAsking(true)}>
          Cancel…<span class="hidden"> job {job.id}</span>
        </button>
      ) : null}
      <ProblemNote problem={action.problem} />
      {asking ? <CancelDialog job={job} onClose={() => setAsking(false)} /> : null}
    </>
  );
}

// SPDX-License-Identifier: Apache-2.0
/* Files on their way to the daemon. They go on while another page is looked at, and stay listed until they are put away. */
import { signal } from "@preact/signals";
import { type Image, Problem, problemOf, tellUnauthorized } from "../core/api";
import { imageChanges } from "./changes";

export interface Upload {
  id: number;
  file: File;
  name: string;
  state: "sending" | "done" | "known" | "refused";
  /** 0 … 1 of the bytes that have been sent */
  sent: number;
  problem: Problem | null;
  image: Image | null;
  /** the daemon takes it for a raw binary, and wants to know where that begins */
  wantsAddress: boolean;
  address: string;
}

export const uploads = signal<Upload[]>([]);
let lastId = 0;

function change(id: number, members: Partial<Upload>): void {
  uploads.value = uploads.value.map((upload) => (upload.id === id ? { ...upload, ...members } : upload));
}

function bodyOf(request: XMLHttpRequest): unknown {
  try {
    return JSON.parse(request.responseText) as unknown;
  } catch {
    return null;
  }
}

function ended(id: number, request: XMLHttpRequest): void {
  const body = bodyOf(request);
  if (request.status === 200 || request.status === 201) {
    change(id, { state: request.status === 201 ? "done" : "known", image: body as Image, problem: null, sent: 1 });
    imageChanges.value++;
    return;
  }
  if (request.status === 401) tellUnauthorized();
  const problem = problemOf(request.status, body);
  const wantsAddress = problem.status === 422 && problem.detail.includes("base address");
  const before = uploads.value.find((upload) => upload.id === id);
  change(id, { state: "refused", problem, wantsAddress: wantsAddress || (before?.wantsAddress ?? false) });
}

/* fetch() does not tell how much of a body has gone; this does. */
function send(upload: Upload): void {
  const query = new URLSearchParams({ name: upload.name });
  if (upload.wantsAddress) query.set("address", upload.address.trim());
  const request = new XMLHttpRequest();
  request.open("POST", `/v1/images?${query.toString()}`);
  request.setRequestHeader("Content-Type", "application/octet-stream");
  request.upload.onprogress = (event) => change(upload.id, { sent: event.loaded / Math.max(event.total, 1) });
  request.onload = () => ended(upload.id, request);
  request.onerror = () =>
    change(upload.id, {
      state: "refused",
      problem: new Problem(0, "The daemon cannot be reached", "The file did not arrive; send it again."),
    });
  request.send(upload.file);
}

export function addFiles(files: Iterable<File>): void {
  for (const file of files) {
    const upload: Upload = {
      id: ++lastId,
      file,
      name: file.name,
      state: "sending",
      sent: 0,
      problem: null,
      image: null,
      wantsAddress: false,
      address: "",
    };
    uploads.value = [...uploads.value, upload];
    send(upload);
  }
}

export function sendAgain(upload: Upload, name: string, address: string): void {
  const members = { name, address, state: "sending" as const, sent: 0, problem: null };
  change(upload.id, members);
  send({ ...upload, ...members });
}

export function putAway(id: number): void {
  uploads.value = uploads.value.filter((upload) => upload.id !== id);
}

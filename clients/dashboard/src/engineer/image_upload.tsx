// SPDX-License-Identifier: Apache-2.0
import { useRef, useState } from "preact/hooks";
import { bytes, short } from "../core/format";
import { to } from "../core/router";
import { Icon } from "../ui/icons";
import { TextBox } from "./controls";
import { type Upload, addFiles, putAway, sendAgain, uploads } from "./uploads";

const ADDRESS = "0[xX][0-9a-fA-F]{1,8}|[0-9]{1,10}";

function Sending({ upload }: { upload: Upload }) {
  const percent = Math.round(100 * upload.sent);
  return (
    <>
      <progress max={100} value={percent} aria-label={`Upload of ${upload.name}`} />
      <span>{percent < 100 ? `${percent} % of ${bytes(upload.file.size)}` : "the daemon reads it"}</span>
    </>
  );
}

function Arrived({ upload }: { upload: Upload }) {
  const image = upload.image;
  if (!image) return null;
  return (
    <span role="status">
      <Icon name="pass" /> {upload.state === "known" ? "was here already, as " : "stored as "}
      <a href={to("engineer/images", { id: image.id })}>
        {image.name ?? "an image without name"} <span class="mono">{short(image.id)}</span>
      </a>
    </span>
  );
}

/** What the daemon refused stays here, to be sent again under another name or with an address. */
function Refused({ upload }: { upload: Upload }) {
  const [name, setName] = useState(upload.name);
  const [address, setAddress] = useState(upload.address || "0x08000000");
  return (
    <form
      class="again"
      aria-label={`Send ${upload.name} again`}
      onSubmit={(event) => {
        event.preventDefault();
        sendAgain(upload, name, address);
      }}
    >
      <p class="note note-bad" role="alert">
        <Icon name="warning" /> <strong>{upload.problem?.title}</strong> {upload.problem?.detail}
      </p>
      <div class="form">
        <TextBox label="Name" value={name} onValue={setName} maxLength={255} />
        {upload.wantsAddress ? (
          <TextBox
            label="Base address"
            hint="where the first byte of the raw binary goes, 0x… or decimal"
            value={address}
            onValue={setAddress}
            pattern={ADDRESS}
            title="an address, such as 0x08000000"
            required
            mono
          />
        ) : null}
        <div class="buttons">
          <button type="submit" class="primary">
            Send again
          </button>
        </div>
      </div>
    </form>
  );
}

function UploadLine({ upload }: { upload: Upload }) {
  return (
    <li class="upload">
      <div class="upload-head">
        <strong class="file-name">{upload.name}</strong>
        {upload.state === "sending" ? <Sending upload={upload} /> : null}
        <Arrived upload={upload} />
        <span class="grow" />
        {upload.state === "sending" ? null : (
          <button type="button" onClick={() => putAway(upload.id)} aria-label={`Put ${upload.name} away`}>
            Put away
          </button>
        )}
      </div>
      {upload.state === "refused" ? <Refused upload={upload} /> : null}
    </li>
  );
}

export function UploadPanel() {
  const [over, setOver] = useState(false);
  const input = useRef<HTMLInputElement>(null);

  function drop(event: DragEvent) {
    event.preventDefault();
    setOver(false);
    addFiles(event.dataTransfer?.files ?? []);
  }

  function chosen() {
    const files = input.current?.files;
    if (files) addFiles(files);
    if (input.current) input.current.value = "";
  }

  return (
    <section class="panel" aria-label="Upload">
      <div
        class={over ? "drop drop-over" : "drop"}
        onDragOver={(event) => {
          event.preventDefault();
          setOver(true);
        }}
        onDragLeave={() => setOver(false)}
        onDrop={drop}
      >
        <input
          ref={input}
          type="file"
          multiple
          class="hidden"
          tabIndex={-1}
          aria-label="Firmware files"
          onChange={chosen}
        />
        <button type="button" class="primary" onClick={() => input.current?.click()}>
          Choose files…
        </button>
        <span>
          or drop firmware here: Intel HEX, S-record, ELF, UF2 or a raw binary, up to 64 MiB. The content says which it
          is.
        </span>
      </div>
      {uploads.value.length ? (
        <ul class="uploads" aria-label="Uploads">
          {uploads.value.map((upload) => (
            <UploadLine key={upload.id} upload={upload} />
          ))}
        </ul>
      ) : null}
    </section>
  );
}

// A form for the tags of a sandbox. It checks them as the user types, with the rules of the server, and saves them
// through app/api/sandboxes/[id]/tags/route.ts.

"use client";

import { validateTagKey, validateTags, validateTagValue } from "@opencomputer/usage/validate";
import { type FormEvent, useCallback, useEffect, useId, useState } from "react";
import type { Problem } from "@/lib/problem";

interface Row {
  readonly id: number;
  readonly key: string;
  readonly value: string;
}

let lastId = 0;
const newRow = (key = "", value = ""): Row => ({ id: ++lastId, key, value });

export function TagForm({ sandboxId }: { readonly sandboxId: string }) {
  const [rows, setRows] = useState<readonly Row[]>([]);
  const [etag, setEtag] = useState("");
  const [status, setStatus] = useState("");
  const [isBusy, setBusy] = useState(true);

  /** Loads the tags, or sends a write. */
  const send = useCallback(
    async (init?: RequestInit) => {
      setBusy(true);
      setStatus("");
      try {
        const response = await fetch(`/api/sandboxes/${encodeURIComponent(sandboxId)}/tags`, init);
        const body = await response.json();
        if (response.ok) {
          setEtag(response.headers.get("ETag") ?? "");
          // Keeps what was typed meanwhile.
          if (init) setStatus("Saved.");
          else setRows(Object.entries<string>(body).map(([key, value]) => newRow(key, value)));
        } else if (response.status === 412) {
          setStatus("Somebody else changed these tags. Reload them, then make your changes again.");
        } else {
          setStatus((body as Problem).error);
        }
      } catch {
        setStatus("The server cannot be reached. Try again.");
      }
      setBusy(false);
    },
    [sandboxId],
  );
  useEffect(() => void send(), [send]);

  function save(event: FormEvent) {
    event.preventDefault();
    const headers = { "Content-Type": "application/json", "If-Match": etag };
    void send({ method: "PUT", headers, body: JSON.stringify(tags) });
  }

  const change = (row: Row, part: Partial<Row>) =>
    setRows(rows.map((other) => (other === row ? { ...row, ...part } : other)));

  const tags = Object.fromEntries(rows.map(({ key, value }) => [key, value]));
  const faults = rows.map(({ key, value }) => ({
    key:
      rows.filter((other) => other.key === key).length > 1
        ? "There is another tag with this key."
        : first(validateTagKey(key)),
    value: first(validateTagValue(value)),
  }));
  const fault = first(validateTags(tags).filter(({ key }) => key === null));
  const isValid = !fault && faults.every(({ key, value }) => !key && !value);

  return (
    <form onSubmit={save}>
      {rows.map((row, index) => (
        <fieldset key={row.id}>
          <Field
            label="Key"
            text={row.key}
            fault={faults[index]?.key}
            onChange={(key) => change(row, { key })}
          />
          <Field
            label="Value"
            text={row.value}
            fault={faults[index]?.value}
            onChange={(value) => change(row, { value })}
          />
          <button type="button" onClick={() => setRows(rows.filter((other) => other !== row))}>
            Remove
          </button>
        </fieldset>
      ))}
      <button type="button" onClick={() => setRows([...rows, newRow()])}>
        Add a tag
      </button>
      <button type="submit" disabled={!isValid || isBusy || !etag}>
        Save
      </button>
      <button type="button" disabled={isBusy} onClick={() => void send()}>
        Reload
      </button>
      <p role="status">{fault || status}</p>
    </form>
  );
}

interface FieldProps {
  readonly label: string;
  readonly text: string;
  readonly fault: string | undefined;
  readonly onChange: (text: string) => void;
}

function Field({ label, text, fault, onChange }: FieldProps) {
  const id = useId();
  return (
    <div>
      <label htmlFor={id}>{label}</label>
      <input
        id={id}
        value={text}
        aria-invalid={Boolean(fault)}
        aria-describedby={`${id}-fault`}
        onChange={(event) => onChange(event.target.value)}
      />
      <span id={`${id}-fault`} aria-live="polite">
        {fault}
      </span>
    </div>
  );
}

/** Returns the message of the first violation. */
const first = (violations: readonly { readonly message: string }[]) => violations[0]?.message ?? "";

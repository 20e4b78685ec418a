import { EmptyNotice } from "../components/notice.js";
import { DEFAULT_STATE, type ListQuery } from "./query.js";

interface Props {
  readonly query: ListQuery;
  readonly onChange: (changed: Partial<ListQuery>) => void;
}

/** Says why a list is empty, and how to see or add sandboxes. */
export function NoSandboxes({ query: { conditions, state }, onChange }: Props) {
  const isRunning = state === DEFAULT_STATE;
  if (conditions.length > 0)
    return (
      <EmptyNotice title="No sandbox matches">
        <p>
          No {isRunning ? "running sandbox" : "sandbox"} matches {describe(conditions.length)}.
        </p>
        <div class="choices">
          <button type="button" onClick={() => onChange({ conditions: [] })}>
            Remove all filters
          </button>
          {isRunning && <ShowAll onChange={onChange} />}
        </div>
      </EmptyNotice>
    );
  if (isRunning)
    return (
      <EmptyNotice title="No sandbox is running">
        <p>Sandboxes that were torn down are listed, too, if you show all.</p>
        <ShowAll onChange={onChange} />
      </EmptyNotice>
    );
  return (
    <EmptyNotice title="There are no sandboxes yet">
      <p>Sandboxes appear here with their first session. To import some:</p>
      <pre>
        <code>{IMPORT}</code>
      </pre>
    </EmptyNotice>
  );
}

const describe = (count: number): string => (count === 1 ? "the filter" : `the ${count} filters`);

function ShowAll({ onChange }: Pick<Props, "onChange">) {
  return (
    <button type="button" onClick={() => onChange({ state: "all" })}>
      Show all
    </button>
  );
}

/** A session, its memory and its tags: the least that has usage. */
const IMPORT = `echo '{"type":"session","sandboxId":"sb-1","template":"base","region":"use2","workerId":"w-1","status":"running","startedAt":"2026-04-19T14:00:00Z"}
{"type":"scale","sandboxId":"sb-1","memoryMb":4096,"cpuPercent":100,"diskMb":20480,"startedAt":"2026-04-19T14:00:00Z"}
{"type":"tags","sandboxId":"sb-1","tags":{"team":"payments"}}' | opencomputer-usage-server import - --org YOUR_ORG`;

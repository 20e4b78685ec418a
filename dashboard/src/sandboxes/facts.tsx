import type { SandboxUsage } from "@opencomputer/usage";
import type { ComponentChildren } from "preact";
import { Skeleton } from "../components/notice.js";
import { formatCount, formatGbHours, formatGbSeconds, formatMb, formatShare } from "../format.js";
import { Detailed } from "../usage/detailed.js";
import { windowName } from "../usage/words.js";
import { formatDuration, formatSeconds } from "./duration.js";
import { Instant } from "./parts.js";

interface Props {
  /** Undefined before the first data. */
  readonly usage: SandboxUsage | undefined;
  readonly timeZone: string;
}

const NO_SAMPLES = "no samples";

/** The amounts and times of one sandbox in a window. */
export function Facts({ usage, timeZone }: Props) {
  const totals = usage?.totals;
  const used = totals?.usedFraction;
  return (
    <>
      <dl class="card facts">
        <Fact name="Allocated memory">
          {usage && <Amount gbSeconds={totals?.memoryAllocatedGbSeconds} />}
        </Fact>
        <Fact name="Used memory">
          {usage &&
            (used === null ? NO_SAMPLES : <Amount gbSeconds={totals?.memoryUsedGbSeconds} />)}
        </Fact>
        <Fact name="Used of allocated">
          {usage && (typeof used === "number" ? formatShare(used) : NO_SAMPLES)}
        </Fact>
        <Fact name="Disk overage">
          {usage && <Amount gbSeconds={usage.diskOverageGbSeconds ?? undefined} />}
        </Fact>
        <Fact name="Uptime">
          {usage &&
            (totals ? (
              <Detailed detail={formatSeconds(totals.uptimeSeconds)}>
                {formatDuration(totals.uptimeSeconds)}
              </Detailed>
            ) : (
              "unknown"
            ))}
        </Fact>
        <Fact name="Peak allocated">
          {usage && (totals ? formatMb(totals.memoryAllocatedPeakMb) : "unknown")}
        </Fact>
        <Fact name="Peak used">
          {usage && (totals && used !== null ? formatMb(totals.memoryUsedPeakMb) : NO_SAMPLES)}
        </Fact>
        <Fact name="First start">
          {usage &&
            (usage.firstStartedAt === null ? (
              "not in this window"
            ) : (
              <Instant at={usage.firstStartedAt} timeZone={timeZone} />
            ))}
        </Fact>
        <Fact name="Last end">{usage && <LastEnd usage={usage} timeZone={timeZone} />}</Fact>
        <Fact name="Measured at">
          {usage &&
            (usage.asOf === null ? "unknown" : <Instant at={usage.asOf} timeZone={timeZone} />)}
        </Fact>
      </dl>
      <p class="muted span">
        {usage ? windowName({ ...usage, timezone: timeZone }) : <Skeleton width="24ch" />}
        {usage && <MissingSamples points={usage.points ?? []} />}
      </p>
    </>
  );
}

/** Says for how much of the chart used memory is unknown, which the API counts as 0. */
function MissingSamples({ points }: { readonly points: NonNullable<SandboxUsage["points"]> }) {
  const allocated = points.filter(({ memoryAllocatedGbSeconds }) => memoryAllocatedGbSeconds > 0);
  const missing = allocated.filter(({ usedFraction }) => usedFraction === null).length;
  if (missing === 0 || missing === allocated.length) return null;
  return (
    <>
      {". "}
      {formatCount(missing)} of {formatCount(allocated.length)} bars have no samples and count as 0
      used memory.
    </>
  );
}

function Fact({ name, children }: { readonly name: string; readonly children: ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children || <Skeleton width="9ch" />}</dd>
    </div>
  );
}

function Amount({ gbSeconds }: { readonly gbSeconds: number | undefined }) {
  if (gbSeconds === undefined) return <>unknown</>;
  return (
    <Detailed detail={formatGbSeconds(gbSeconds)}>{formatGbHours(gbSeconds)} GB-hours</Detailed>
  );
}

function LastEnd({ usage, timeZone }: { readonly usage: SandboxUsage; readonly timeZone: string }) {
  if (usage.lastEndedAt !== null) return <Instant at={usage.lastEndedAt} timeZone={timeZone} />;
  return <>{usage.firstStartedAt === null ? "not in this window" : "still open"}</>;
}

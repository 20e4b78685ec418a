// A small fleet as lines of an import. Its days are relative to the start of today (UTC), so that it lies in the presets
// of the dashboard.

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** Tag values that a page could mistake for something else. */
export const HOSTILE = /** @type {Record<string, string>} */ ({
  markup: `<img src=x onerror="document.title='owned'">`,
  script: "</script><script>document.title='owned'</script>",
  url: "javascript:document.title='owned'",
  formula: `=HYPERLINK("https://evil.example","click")`,
  formulas: "+1+1",
  "right-to-left": "\u202Egpj.tnemyap",
  emoji: "🚀".repeat(256),
  quotes: `"a", 'b', c\\`,
  "line-break": "one\r\ntwo",
});

/** The sandbox of the team `growth` that somebody forgot to stop, six days ago. */
export const RUNAWAY = "sb-runaway";
/** The sandbox whose memory was sampled every minute for two hours of yesterday. */
export const SAMPLED = "sb-payments-0";
/** The teams. `growth` has the runaway. */
export const TEAMS = ["payments", "search", "growth", "platform"];
/** More groups than a page of the table has rows. */
export const JOBS = 120;

/** A team of another org, which must never be shown. */
export const OTHER_TEAM = "the-other-org";

/** @param {number} now the current time in milliseconds */
export function fleet(now = Date.now()) {
  const today = Math.floor(now / DAY) * DAY;
  const lines = /** @type {object[]} */ ([]);
  const time = (/** @type {number} */ at) => new Date(at).toISOString();

  /** @param {string} sandboxId @param {{ tags?: Record<string, string>, memoryMb?: number, from: number, to?: number, template?: string, region?: string }} facts */
  const add = (
    sandboxId,
    { tags, memoryMb = 2048, from, to, template = "base", region = "use2" },
  ) => {
    const [startedAt, endedAt] = [time(from), to === undefined ? null : time(to)];
    const status = to === undefined ? "running" : "stopped";
    const session = {
      sandboxId,
      template,
      region,
      workerId: "w-1",
      status,
      startedAt,
      stoppedAt: endedAt,
    };
    lines.push({ type: "session", ...session, alias: sandboxId.replace("sb-", "agent-") });
    const size = { memoryMb, cpuPercent: 100, diskMb: 30_720 };
    lines.push({ type: "scale", sandboxId, ...size, startedAt, endedAt });
    if (tags) lines.push({ type: "tags", sandboxId, tags });
  };

  for (const [at, team] of TEAMS.entries()) {
    for (let index = 0; index < 3; index++) {
      add(`sb-${team}-${index}`, {
        tags: { team, env: ["prod", "staging", "dev"][index] ?? "", "oc:plan": "pro" },
        memoryMb: 1024 * (at + 1),
        from: today - (40 - index) * DAY,
        region: index === 2 ? "euc1" : "use2",
      });
    }
  }
  add(RUNAWAY, {
    tags: { team: "growth", env: "dev" },
    memoryMb: 65_536,
    from: today - 6 * DAY,
    template: "desktop",
  });
  for (let index = 0; index < JOBS; index++) {
    const from = today - 3 * DAY + index * 60_000;
    const tags = { team: "search", env: "prod", job: `job-${String(index).padStart(3, "0")}` };
    add(`sb-job-${index}`, { tags, from, to: from + HOUR + index * 60_000, template: "python" });
  }
  // Torn down before the last seven days, one of them without tags.
  add("sb-gone", {
    tags: { team: "legacy", env: "prod" },
    from: today - 20 * DAY,
    to: today - 10 * DAY,
  });
  add("sb-untagged", { from: today - 12 * DAY, to: today - 2 * DAY, memoryMb: 8192 });
  for (const [index, [name, note]] of Object.entries(HOSTILE).entries()) {
    const from = today - 2 * DAY;
    add(`sb-hostile-${name}`, { tags: { note }, from, to: from + (index + 1) * HOUR });
  }
  for (let minute = 0; minute < 120; minute++) {
    const used = (400 + minute) * 2 ** 20;
    const sampledAt = time(today - DAY + minute * 60_000);
    lines.push({
      type: "sample",
      sandboxId: SAMPLED,
      sampledAt,
      memoryBytes: used,
      memoryMb: 1024,
    });
  }
  return lines;
}

/** Returns the fleet of another org, with a sandbox of the same name. */
export function otherFleet(now = Date.now()) {
  const sandboxId = RUNAWAY;
  const startedAt = new Date(now - DAY).toISOString();
  const session = { template: OTHER_TEAM, region: "use2", workerId: "w-2", status: "running" };
  return [
    { type: "session", sandboxId, ...session, startedAt },
    { type: "scale", sandboxId, memoryMb: 1024, cpuPercent: 100, diskMb: 10_240, startedAt },
    { type: "tags", sandboxId, tags: { team: OTHER_TEAM } },
  ];
}

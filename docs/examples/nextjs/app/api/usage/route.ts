// GET /api/usage?by=team&from=2026-10-01&to=2026-11-01&timeZone=Europe/Berlin
//
// Reports usage by day to the pages of a Next.js application. The API key stays on the server, in OPENCOMPUTER_API_KEY;
// OPENCOMPUTER_API_URL is the URL of the API.

import { UsageClient } from "@opencomputer/usage";
// Yours to supply: resolves to null if nobody is signed in, like the `auth` of Auth.js.
import { auth } from "@/auth";
import { failure, problem } from "@/lib/problem";

/** The tags that a page may group by. */
const TAGS = ["team", "env"];
const PARAMETERS = ["by", "from", "to", "timeZone", "cursor"];

export async function GET(request: Request): Promise<Response> {
  if (!(await auth())) return problem(401, { error: "sign in first", code: "unauthorized" });
  const query = new URL(request.url).searchParams;
  for (const name of query.keys()) {
    if (!PARAMETERS.includes(name)) {
      return problem(400, { error: `\`${name}\` is not a parameter`, code: "unknown_parameter" });
    }
  }
  const by = query.get("by") ?? "team";
  if (!TAGS.includes(by)) {
    return problem(400, { error: `\`by\` must be ${TAGS.join(" or ")}`, code: "invalid_group_by" });
  }
  const client = new UsageClient();
  try {
    const page = await client.usage.byTag(by, {
      from: query.get("from"),
      to: query.get("to"),
      timeZone: query.get("timeZone"),
      cursor: query.get("cursor"),
      interval: "1d",
      // To show a customer nothing else: filter: { "tag:customer": [session.customer] }
    });
    return Response.json(page.toJSON(), { headers: { "Cache-Control": "private, max-age=60" } });
  } catch (error) {
    return failure(error);
  }
}

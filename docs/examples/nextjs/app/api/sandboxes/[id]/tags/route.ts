// GET and PUT /api/sandboxes/sb-1/tags
//
// Reads and replaces the user tags of a sandbox. A write needs the entity tag of the tags that were read, so that it
// fails with 412 instead of undoing somebody else's change.

import { condition, type SandboxTags, UsageClient, userTags } from "@opencomputer/usage";
// Yours to supply: resolves to null if nobody is signed in, like the `auth` of Auth.js.
import { auth } from "@/auth";
import { failure, problem } from "@/lib/problem";

type Context = { params: Promise<{ id: string }> };

export async function GET(_request: Request, { params }: Context): Promise<Response> {
  if (!(await auth())) return problem(401, { error: "sign in first", code: "unauthorized" });
  const { id } = await params;
  const client = new UsageClient();
  try {
    return answer(await client.tags.get(id));
  } catch (error) {
    return failure(error);
  }
}

export async function PUT(request: Request, { params }: Context): Promise<Response> {
  if (!(await auth())) return problem(401, { error: "sign in first", code: "unauthorized" });
  const { id } = await params;
  const ifMatch = request.headers.get("If-Match");
  if (!ifMatch) {
    return problem(428, { error: "send `If-Match`", code: "precondition_required" });
  }
  const tags = await request.json().catch(() => null);
  const client = new UsageClient();
  try {
    return answer(await client.tags.set(id, tags, { ifMatch }));
  } catch (error) {
    return failure(error);
  }
}

function answer(state: SandboxTags): Response {
  const headers = { ETag: condition(state), "Cache-Control": "no-store" };
  return Response.json(userTags(state.tags), { headers });
}

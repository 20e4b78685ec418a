"""Which requests fit the schema and may still be refused, for reasons that a schema cannot give."""

import schemathesis

# Ends of a window depend on each other, a cursor on the page before, a filter on its quoting, `If-Match` on the tags,
# a time zone on the database of the server, the number of buckets on the window.
WINDOW = {"invalid_timestamp", "invalid_window", "window_too_large", "invalid_timezone", "too_many_buckets"}
REFUSALS = {
    "getUsage": WINDOW | {"invalid_cursor", "invalid_filter"},
    "getSandboxUsage": WINDOW | {"sandbox_not_found"},
    "listSandboxes": {"invalid_cursor", "invalid_filter"},
    "getTagValues": {"invalid_cursor"},
    "replaceSandboxTags": {"tags_changed", "sandbox_not_found"},
}


@schemathesis.check
def refusal_for_a_reason(_ctx, response, case):
    """A valid request may only be rejected for one of those reasons."""
    refusals = REFUSALS.get(case.operation.definition.raw["operationId"])
    if refusals is None or not case.meta.generation.mode.is_positive or response.status_code in (200, 401, 405):
        return
    code = response.json()["code"]
    assert code in refusals, f"`{code}` is no reason to refuse what fits the schema"

// URLs of the view.

import { href } from "../router.js";
import { conditionsOf, withConditions } from "./groups.js";
import { changeQuery, type ViewQuery, writeQuery } from "./query.js";

/** Returns the URL of a query. */
export const viewHref = (query: ViewQuery): string => href("/", writeQuery(query));

/** Returns the URLs of a group's usage and of its sandboxes, or undefined if the API does not filter by its values. */
export function linksTo(
  query: ViewQuery,
  groupBy: readonly string[],
  values: readonly (string | null)[],
): { readonly group: string; readonly sandboxes: string } | undefined {
  const added = conditionsOf(groupBy, values);
  if (!added) return undefined;
  const conditions = withConditions(query.conditions, added);
  return {
    group: viewHref(changeQuery(query, { conditions })),
    sandboxes: viewHref(changeQuery(query, { conditions, groupBy: ["sandbox"] })),
  };
}

import { Link, navigate } from "../router.js";
import { viewHref } from "./links.js";
import { changeQuery, PAGE_SIZES, type ViewQuery } from "./query.js";

interface Props {
  readonly query: ViewQuery;
  readonly nextCursor: string | null;
}

/** Turns pages. A cursor leads only forward, so the way back is the first page or the browser's history. */
export function Pages({ query, nextCursor }: Props) {
  const { page, limit, cursor } = query;
  const sizes: number[] = [...PAGE_SIZES];
  if (!sizes.includes(limit)) sizes.push(limit);
  return (
    <nav class="pages" aria-label="Pages">
      <label>
        Rows
        <select
          value={limit}
          onChange={(event) => {
            const limit = Number(event.currentTarget.value);
            navigate(viewHref(changeQuery(query, { limit })));
          }}
        >
          {sizes.map((size) => (
            <option key={size} value={size}>
              {size}
            </option>
          ))}
        </select>
      </label>
      <span class="muted">Page {page}</span>
      {cursor !== null && (
        <Link class="button" to={viewHref({ ...query, cursor: null, page: 1 })}>
          First
        </Link>
      )}
      {nextCursor !== null && (
        <Link class="button" to={viewHref({ ...query, cursor: nextCursor, page: page + 1 })}>
          Next
        </Link>
      )}
    </nav>
  );
}

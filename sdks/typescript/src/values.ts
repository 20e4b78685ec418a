/**
 * Returns whether the core reads a value as a map: a plain object or an instance of a user's class, without symbol keys,
 * which would be dropped silently.
 */
export function isPlain(value: unknown): value is Record<string, unknown> {
  if (Object.prototype.toString.call(value) !== "[object Object]") return false;
  const symbols = Object.getOwnPropertySymbols(value);
  return (
    symbols.length === 0 ||
    !symbols.some((symbol) => Object.prototype.propertyIsEnumerable.call(value, symbol))
  );
}

/** Converts a query to the names and values of the API. An invalid date becomes text that the core rejects. */
export function wireQuery(query: unknown): unknown {
  if (!isPlain(query)) return query;
  const copy = { ...query };
  for (const end of ["from", "to"]) {
    if (end in copy) copy[end] = timeText(copy[end]);
  }
  // If both names are given, the core rejects the one that it does not know.
  if ("timezone" in copy || !("timeZone" in copy)) return copy;
  const { timeZone: timezone, ...others } = copy;
  return { ...others, timezone };
}

function timeText(time: unknown): unknown {
  if (Object.prototype.toString.call(time) !== "[object Date]") return time;
  const date = time as Date;
  return Number.isNaN(date.getTime()) ? String(date) : date.toISOString();
}

/** Separates one option from the others. A value that is not a map is passed on, for the core to reject. */
export function takeOption(options: unknown, name: string): [option: unknown, others: unknown] {
  if (!isPlain(options)) return [undefined, options];
  const { [name]: option, ...others } = options;
  return [option, others];
}

/** Binds the methods of an object to it, so that they survive destructuring. */
export function bind(object: object, { prototype }: { readonly prototype: object }): void {
  for (const name of Object.getOwnPropertyNames(prototype)) {
    const method: unknown = Reflect.get(object, name);
    if (name === "constructor" || typeof method !== "function") continue;
    Object.defineProperty(object, name, {
      value: method.bind(object),
      writable: true,
      configurable: true,
    });
  }
}

/** The globals that differ between runtimes. */
interface Host {
  readonly process?: { readonly env?: Readonly<Record<string, string | undefined>> };
  readonly Deno?: { readonly env?: { get(name: string): string | undefined } };
  readonly window?: unknown;
  readonly document?: unknown;
  readonly WorkerGlobalScope?: unknown;
  readonly navigator?: { readonly userAgent?: string };
}

const host = globalThis as Host;

/** Returns an environment variable; undefined if it is empty or cannot be read. */
export function environment(name: string): string | undefined {
  try {
    return host.process?.env?.[name] || host.Deno?.env?.get(name) || undefined;
  } catch {
    return undefined;
  }
}

/** Returns whether this is a page or a worker of a browser, whose user can read everything in it. */
export function isBrowser(): boolean {
  if (typeof host.window === "object" && typeof host.document === "object") return true;
  // Server runtimes also have workers, but only browsers have a user agent with Mozilla.
  const isWorker = typeof host.WorkerGlobalScope === "function";
  return isWorker && host.navigator?.userAgent?.startsWith("Mozilla/") === true;
}

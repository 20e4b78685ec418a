/** What differs between the places that JavaScript runs in. */
interface Host {
  readonly process?: { readonly env?: Readonly<Record<string, string | undefined>> };
  readonly Deno?: { readonly env?: { get(name: string): string | undefined } };
  readonly window?: unknown;
  readonly document?: unknown;
  readonly WorkerGlobalScope?: unknown;
  readonly navigator?: { readonly userAgent?: string };
}

const host = globalThis as Host;

/** An environment variable; undefined where it is empty, where there are none, and where they may not be read. */
export function environment(name: string): string | undefined {
  try {
    return host.process?.env?.[name] || host.Deno?.env?.get(name) || undefined;
  } catch {
    return undefined;
  }
}

/** Whether this is a page of a browser or a worker of one, whose user can read all that is in it. */
export function isBrowser(): boolean {
  if (typeof host.window === "object" && typeof host.document === "object") return true;
  // Servers have workers, too, but only browsers claim to be Mozilla.
  const isWorker = typeof host.WorkerGlobalScope === "function";
  return isWorker && host.navigator?.userAgent?.startsWith("Mozilla/") === true;
}

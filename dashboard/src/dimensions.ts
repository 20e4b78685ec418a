import {
  parseGroupBy,
  type TagKey,
  type UsageClient,
  type UsageDimension,
} from "@opencomputer/usage";
import type { Option } from "./components/combobox.js";
import { formatCount } from "./format.js";

/** The dimensions besides tags that sandboxes are grouped by. */
export const BUILT_IN = ["template", "region", "status", "sandbox"] as const;

const STATUSES = ["running", "hibernated", "stopped", "error"];

/** Returns the name of a dimension as readers know it: a tag's key, or the word itself. */
export function dimensionName(dimension: string): string {
  return tagKeyOf(dimension) ?? dimension;
}

/** Returns the key of a dimension that is a tag. A malformed dimension, from a URL, has none. */
function tagKeyOf(dimension: string): string | undefined {
  try {
    const parsed = parseGroupBy(dimension);
    return parsed.kind === "tag" ? parsed.key : undefined;
  } catch {
    return undefined;
  }
}

/** Suggests dimensions and their values. Answers are kept as long as the session. */
export class Suggestions {
  readonly #client: UsageClient;
  #keys: Promise<readonly TagKey[]> | undefined;
  readonly #used = new Map<string, Promise<readonly Option[]>>();

  constructor(client: UsageClient) {
    this.#client = client;
  }

  /** Returns the tag keys in use. */
  tagKeys(): Promise<readonly TagKey[]> {
    this.#keys ??= this.#client.tags.listKeys().catch((error) => {
      this.#keys = undefined;
      throw error;
    });
    return this.#keys;
  }

  /**
   * Returns the dimension that says most: the tag key on the most sandboxes, of several the one with the most values, or
   * the sandbox if there are no tags.
   */
  async mainDimension(): Promise<UsageDimension> {
    const keys = await this.tagKeys();
    const [most] = keys.toSorted(
      (a, b) => b.sandboxCount - a.sandboxCount || b.valueCount - a.valueCount,
    );
    return most ? `tag:${most.key}` : "sandbox";
  }

  /** Suggests tag keys. */
  async keys(text: string): Promise<readonly Option[]> {
    const options = (await this.tagKeys()).map(({ key, sandboxCount }) => ({
      value: key,
      detail: `${formatCount(sandboxCount)} ${sandboxCount === 1 ? "sandbox" : "sandboxes"}`,
    }));
    return matching(options, text);
  }

  /** Forgets the tag keys, after tags were written. */
  forgetKeys(): void {
    this.#keys = undefined;
  }

  /** Suggests dimensions: tags by their keys, then the others. */
  async dimensions(text: string): Promise<readonly Option[]> {
    const tags = (await this.keys("")).map(({ value, ...rest }) => ({
      ...rest,
      value: `tag:${value}`,
      label: value,
    }));
    return matching(
      [...tags, ...BUILT_IN.map((value) => ({ value, label: value, detail: "built in" }))],
      text,
    );
  }

  /** Suggests values of a dimension that start with a text. */
  async values(dimension: string, text: string, signal: AbortSignal): Promise<readonly Option[]> {
    const key = tagKeyOf(dimension);
    if (key !== undefined) {
      const page = await this.#client.tags.listValues(
        key,
        { prefix: text || null, limit: 50 },
        { signal },
      );
      return page.items.map(({ value, sandboxCount }) => ({
        value,
        label: value === "" ? "(empty)" : value,
        detail: formatCount(sandboxCount),
      }));
    }
    if (dimension === "sandbox") return [];
    if (dimension === "status")
      return matching(
        STATUSES.map((value) => ({ value })),
        text,
      );
    let used = this.#used.get(dimension);
    if (!used) {
      used = this.#usedValues(dimension as "template" | "region");
      this.#used.set(dimension, used);
      used.catch(() => this.#used.delete(dimension));
    }
    return matching(await used, text);
  }

  /** The values of a dimension with the most usage in the last 30 days. */
  async #usedValues(
    dimension: UsageDimension & ("template" | "region"),
  ): Promise<readonly Option[]> {
    const page = await this.#client.usage.by(dimension, { limit: 100 });
    return page.items.flatMap(({ group }) =>
      group[dimension] === null ? [] : [{ value: group[dimension] }],
    );
  }
}

function matching(options: readonly Option[], text: string): readonly Option[] {
  const wanted = text.toLowerCase();
  const starts = (option: Option) =>
    (option.label ?? option.value).toLowerCase().startsWith(wanted);
  const contains = (option: Option) =>
    (option.label ?? option.value).toLowerCase().includes(wanted);
  return [
    ...options.filter(starts),
    ...options.filter((option) => !starts(option) && contains(option)),
  ];
}

import { userTags } from "@opencomputer/usage";

/** Tags in the order in which they are shown: the user's by key, then the system's. */
export function inOrder(tags: Readonly<Record<string, string>>): readonly ShownTag[] {
  const user = userTags(tags);
  return Object.entries(tags)
    .map(([key, value]) => ({ key, value, isSystem: !Object.hasOwn(user, key) }))
    .sort((one, other) =>
      one.isSystem === other.isSystem ? (one.key < other.key ? -1 : 1) : one.isSystem ? 1 : -1,
    );
}

/** A tag, and whether the system owns it. */
export interface ShownTag {
  readonly key: string;
  readonly value: string;
  readonly isSystem: boolean;
}

/** A value of a tag as text that cannot affect the text around it. */
export function TagText({ value }: { readonly value: string | undefined }) {
  if (value === undefined) return <span class="muted">no tag</span>;
  if (value === "") return <span class="muted">(empty)</span>;
  return <bdi class="tag-text">{value}</bdi>;
}

/** A tag as a chip. */
export function Tag({ tag: { key, value, isSystem } }: { readonly tag: ShownTag }) {
  return (
    <span class={isSystem ? "tag system" : "tag"} title={`${isolated(key)}: ${isolated(value)}`}>
      <bdi class="tag-key">{key}</bdi>
      <TagText value={value} />
      {isSystem && <span class="visually-hidden"> (system tag)</span>}
    </span>
  );
}

/** Wraps text in the characters that isolate its direction, for places without elements. */
const isolated = (text: string): string => `\u2068${text}\u2069`;

/** The first tags of a sandbox as chips, and the number of the rest. */
export function Tags({
  tags,
  most = Number.POSITIVE_INFINITY,
}: {
  readonly tags: Readonly<Record<string, string>>;
  readonly most?: number;
}) {
  const all = inOrder(tags);
  const rest = all.length - most;
  return (
    <ul class={most < Number.POSITIVE_INFINITY ? "tags one-line" : "tags"}>
      {all.slice(0, most).map((tag) => (
        <li key={tag.key}>
          <Tag tag={tag} />
        </li>
      ))}
      {rest > 0 && <li class="muted">+{rest} more</li>}
    </ul>
  );
}

// The contents of the packed package: its types, its manifest, its size.

import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { BAR, bundledSize } from "./size.js";
import { cleanUp, packedTarball, program, project, run } from "./support.js";

after(cleanUp);

const TSC = fileURLToPath(new URL("node_modules/typescript/bin/tsc", import.meta.url));

test("its types resolve in every mode of TypeScript, by attw", async () => {
  const tarball = await packedTarball();
  await run(program("attw"), [tarball, "--format", "table"], { cwd: "." });
});

test("its manifest is valid, by publint", async () => {
  const directory = await project({});
  const pkgDir = join(directory, "node_modules/@opencomputer/usage");
  const { messages, pkg } = await publint({ pkgDir, strict: true, pack: false });
  assert.deepEqual(
    messages.map((message) => formatMessage(message, pkg)),
    [],
  );
});

test("every public item is documented and every link resolves, by TypeDoc", async () => {
  const cwd = fileURLToPath(new URL("../../sdks/typescript", import.meta.url));
  const entries = ["--entryPoints", "src/index.ts", "--entryPoints", "src/validate.ts"];
  const checks = [
    "--emit",
    "none",
    "--treatWarningsAsErrors",
    "--validation.notDocumented",
    "true",
    // A checkout without a remote has no sources to link to.
    "--disableSources",
  ];
  await run(program("typedoc"), [...entries, ...checks, "--tsconfig", "tsconfig.build.json"], {
    cwd,
  });
});

test("it compiles in a strict project that checks its declarations", async () => {
  const main = `
    import { UsageClient, type SandboxUsageItem } from "@opencomputer/usage";
    import { type TagViolation, validateTags } from "@opencomputer/usage/validate";
    export const violations: TagViolation[] = validateTags({});
    export async function first(client: UsageClient): Promise<SandboxUsageItem | undefined> {
      return (await client.usage.bySandbox({ limit: 1 })).items[0];
    }
  `;
  const compilerOptions = {
    strict: true,
    noEmit: true,
    target: "es2022",
    lib: ["es2022", "dom"],
    types: [],
    exactOptionalPropertyTypes: true,
  };
  const config = JSON.stringify({ compilerOptions, files: ["main.mts", "main.cts"] });
  const cwd = await project({ "main.mts": main, "main.cts": main, "tsconfig.json": config });
  for (const [module, moduleResolution] of [
    ["node16", "node16"],
    ["nodenext", "nodenext"],
  ]) {
    await run(process.execPath, [TSC, "--module", module, "--moduleResolution", moduleResolution], {
      cwd,
    });
  }
  await run(process.execPath, [TSC, "--module", "preserve", "--moduleResolution", "bundler"], {
    cwd,
  });
  const node10 = [
    TSC,
    "--module",
    "commonjs",
    "--moduleResolution",
    "node10",
    "--ignoreDeprecations",
    "5.0",
  ];
  await run(process.execPath, node10, { cwd });
});

test("the types of /validate need no DOM and no Node.js", async () => {
  const main = `
    import { InvalidRequestError, LIMITS, type TagViolation, validateTags } from "@opencomputer/usage/validate";
    export const violations: TagViolation[] = validateTags({});
    export const most: number = LIMITS.maxTags;
    export const message = (error: unknown) => InvalidRequestError.isInstance(error) && error.code;
  `;
  const compilerOptions = {
    strict: true,
    noEmit: true,
    target: "es2022",
    lib: ["es2022"],
    types: [],
    module: "node16",
  };
  const config = JSON.stringify({ compilerOptions, files: ["main.mts"] });
  const cwd = await project({ "main.mts": main, "tsconfig.json": config });
  await run(process.execPath, [TSC], { cwd });
});

/** The oldest TypeScript that the documentation names. */
const OLDEST = "4.7";

test(`its types work with TypeScript ${OLDEST}, the oldest supported version`, async () => {
  const main = `
    import { RateLimitError, Usage, UsageClient, type UsageQuery } from "@opencomputer/usage";
    import { validateTags } from "@opencomputer/usage/validate";
    const query: UsageQuery = { filter: { "tag:env": ["prod"] } };
    interface Known { team: string }
    export async function all(client: UsageClient, known: Known): Promise<number> {
      let sum = validateTags(known).length;
      for await (const item of client.usage.bySandbox(query)) sum += item.memoryGbSeconds;
      await client.tags.set("sb", known).catch((error: unknown) => RateLimitError.isInstance(error) && error.retryAfter);
      return sum + (await new Usage("https://a.test", "k").byTag("team")).untagged.memoryGbSeconds;
    }
  `;
  const compilerOptions = {
    strict: true,
    noEmit: true,
    target: "es2022",
    lib: ["es2022", "dom"],
    types: [],
    module: "node16",
  };
  const config = JSON.stringify({ compilerOptions, files: ["main.mts", "main.cts"] });
  const cwd = await project({ "main.mts": main, "main.cts": main, "tsconfig.json": config });
  const compiler = fileURLToPath(
    new URL("node_modules/typescript-oldest/bin/tsc", import.meta.url),
  );
  assert.match(
    await run(process.execPath, [compiler, "--version"], { cwd }),
    new RegExp(`^Version ${OLDEST}`),
  );
  await run(process.execPath, [compiler], { cwd });
});

test("the fetch of undici 6, undici 7 and node-fetch fits the option's type", async () => {
  const main = ["undici-6", "undici-7", "node-fetch"]
    .map((name, i) => {
      const at = JSON.stringify(fileURLToPath(new URL(`node_modules/${name}`, import.meta.url)));
      return name === "node-fetch"
        ? `import f${i} from ${at.replace('fetch"', 'fetch/@types/index.js"')}; use(f${i});`
        : `import { fetch as f${i} } from ${at.replace(/"$/, '/index.js"')}; use(f${i});`;
    })
    .join("\n");
  const use = `
    import { UsageClient } from "@opencomputer/usage";
    const use = (fetch: ConstructorParameters<typeof UsageClient>[0] extends infer O ? NonNullable<O> extends { fetch?: infer F } ? F : never : never) =>
      new UsageClient({ fetch });
  `;
  const compilerOptions = {
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    target: "es2022",
    lib: ["es2022", "dom", "dom.iterable"],
    types: ["node"],
    typeRoots: [fileURLToPath(new URL("node_modules/@types", import.meta.url))],
    module: "node16",
  };
  const config = JSON.stringify({ compilerOptions, files: ["main.mts"] });
  const cwd = await project({ "main.mts": use + main, "tsconfig.json": config });
  await run(process.execPath, [TSC], { cwd });
});

test("it has no eval, no top-level await and no Node.js module", async () => {
  const directory = await project({});
  const dist = join(directory, "node_modules/@opencomputer/usage/dist");
  for (const build of ["esm", "cjs", "workerd", "edge-light"]) {
    const names = readdirSync(join(dist, build)).filter((name) => name.endsWith(".js"));
    for (const name of ["index.js", "shared.js", "validate.js"]) assert.ok(names.includes(name));
    for (const name of names) {
      const text = readFileSync(join(dist, build, name), "utf8");
      assert.doesNotMatch(
        text,
        /\beval\(|new Function\(|from "node:|require\("[^.]/,
        `${build}/${name}`,
      );
      assert.doesNotMatch(text, /^(?:const .* = )?await /m, `${build}/${name}`);
    }
  }
});

test("every source map contains its sources or refers to published ones", async () => {
  const dist = join(await project({}), "node_modules/@opencomputer/usage/dist");
  const names = readdirSync(dist, { recursive: true, encoding: "utf8" });
  const maps = names.filter((name) => name.endsWith(".map"));
  for (const kind of ["esm/index.js.map", "cjs/index.d.ts.map"]) assert.ok(maps.includes(kind));
  for (const name of maps) {
    const { sources, sourcesContent = [] } = JSON.parse(readFileSync(join(dist, name), "utf8"));
    assert.ok(sources.length > 0, name);
    for (const [i, source] of sources.entries()) {
      const found = sourcesContent[i] ?? existsSync(join(dist, dirname(name), source));
      assert.ok(found, `${name} leads to ${source}`);
    }
  }
});

for (const [entry, most] of Object.entries(BAR)) {
  test(`${entry}, bundled and minified for a browser, has at most ${most} KB gzipped`, async () => {
    const { gzipped } = await bundledSize(await project({}), entry);
    assert.ok(gzipped <= most * 1024, `${gzipped} bytes are more than ${most * 1024}`);
  });
}

test("an error of one entry is an instance of the other entry's class", async () => {
  const main = `
    import assert from "node:assert/strict";
    import * as whole from "@opencomputer/usage";
    import * as validate from "@opencomputer/usage/validate";
    for (const { parseGroupBy } of [whole, validate]) {
      for (const { InvalidRequestError, OpenComputerError } of [whole, validate]) {
        assert.throws(() => parseGroupBy("team"), InvalidRequestError);
        assert.throws(() => parseGroupBy("team"), OpenComputerError);
      }
    }
  `;
  const cwd = await project({ "main.mjs": main });
  await run(process.execPath, ["main.mjs"], { cwd });
});

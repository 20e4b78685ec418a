// What is in the packed package: its types, its manifest, its size.

import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { BUDGET, bundledSize } from "./size.js";
import { cleanUp, packedTarball, program, project, run } from "./support.js";

after(cleanUp);

test("its types resolve in every mode of TypeScript, as attw tells", async () => {
  const tarball = await packedTarball();
  // Node.js 10 knew no subpaths; whoever resolves like it has the main entry.
  await run(program("attw"), [tarball, "--profile", "node16", "--format", "table"], { cwd: "." });
});

test("its manifest is in order, as publint tells", async () => {
  const directory = await project({});
  const pkgDir = join(directory, "node_modules/@opencomputer/usage");
  const { messages, pkg } = await publint({ pkgDir, strict: true, pack: false });
  assert.deepEqual(
    messages.map((message) => formatMessage(message, pkg)),
    [],
  );
});

test("every public item is documented, and every link leads somewhere, as TypeDoc tells", async () => {
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

test("it compiles in a strict project that looks into its declarations", async () => {
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
    await run(program("tsc"), ["--module", module, "--moduleResolution", moduleResolution], {
      cwd,
    });
  }
  await run(program("tsc"), ["--module", "preserve", "--moduleResolution", "bundler"], { cwd });
});

test("nothing in it evaluates text, waits at the top level or asks for Node.js", async () => {
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

test("every map brings its sources along or leads to ones in the package", async () => {
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

for (const [entry, most] of Object.entries(BUDGET)) {
  test(`${entry}, bundled and minified for a browser, has at most ${most} KB gzipped`, async () => {
    const { gzipped } = await bundledSize(await project({}), entry);
    assert.ok(gzipped <= most * 1024, `${gzipped} bytes are more than ${most * 1024}`);
  });
}

test("an error of one entry is known by the class of the other, whose core is another", async () => {
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

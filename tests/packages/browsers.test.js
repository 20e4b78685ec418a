// The packed package in a real browser, as it is and through bundlers with their default configurations.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { nodeResolve } from "@rollup/plugin-node-resolve";
import { build as esbuild } from "esbuild";
import { loadConfig, mergeConfig, runBuild } from "metro";
import { rollup } from "rollup";
import * as vite from "vite";
import webpack from "webpack";
import { closeBrowser, STRICT, serve, visit } from "./browser.js";
import { FOUND } from "./probe.js";
import { cleanUp, liveServer, program, project, run } from "./support.js";

after(closeBrowser);
after(cleanUp);

const MAIN = `
  import * as sdk from "@opencomputer/usage";
  import * as pure from "@opencomputer/usage/validate";
  import { probe } from "./probe.mjs";
  probe(sdk, pure, window.config).then((found) => { window.report = found; });
`;
/** @param {string} script */
const page = (script) => `<!doctype html><script type="module" src="${script}"></script>`;

/** @param {string} url */
async function found(url) {
  return visit(url, await liveServer());
}

const UNBUNDLED = MAIN.replaceAll(
  /@opencomputer\/usage(\/validate)?/g,
  (_, pure) => `./node_modules/@opencomputer/usage/dist/esm/${pure ? "validate" : "index"}.js`,
);

test("Chromium imports its files under a strict policy, without a bundler", async () => {
  const directory = await project({ "index.html": page("/main.js"), "main.js": UNBUNDLED });
  assert.deepEqual(await found(await serve(directory)), FOUND);
});

test("under a policy that forbids WebAssembly its error names what is missing", async () => {
  const main = `
    import { OpenComputerError, validateTags } from "./node_modules/@opencomputer/usage/dist/esm/validate.js";
    try { validateTags({}); } catch (error) {
      window.report = { ours: error instanceof OpenComputerError, message: error.message };
    }
  `;
  const directory = await project({ "index.html": page("/main.js"), "main.js": main });
  const report = await visit(await serve(directory, STRICT.replace(" 'wasm-unsafe-eval'", "")), {});
  assert.equal(report.ours, true);
  assert.match(report.message, /'wasm-unsafe-eval'/);
});

test("a redirect, which Chromium hides, is rejected and not followed", async () => {
  const asked = /** @type {string[]} */ ([]);
  const headers = { "access-control-allow-origin": "*", "access-control-allow-headers": "*" };
  const server = createServer(({ method, url }, response) => {
    if (method === "OPTIONS") return void response.writeHead(204, headers).end();
    asked.push(`${method} ${url}`);
    response.writeHead(302, { ...headers, location: "/elsewhere" }).end();
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(undefined)));
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  const main = `
    import * as sdk from "./node_modules/@opencomputer/usage/dist/esm/index.js";
    new sdk.UsageClient(window.config).tags.listKeys().catch(({ name, message }) => {
      window.report = { name, message };
    });
  `;
  const directory = await project({ "index.html": page("/main.js"), "main.js": main });
  const config = { apiKey: "oc_key", baseUrl: `http://127.0.0.1:${port}` };
  const report = await visit(await serve(directory), { ...config, dangerouslyAllowBrowser: true });
  server.close();
  assert.equal(report.name, "APIError");
  assert.match(report.message, /^the server redirects, but redirects are not followed/);
  assert.deepEqual(asked, ["GET /api/tags"]);
});

test("esbuild bundles it", async () => {
  const directory = await project({ "main.js": MAIN, "out/index.html": page("/main.js") });
  const outdir = join(directory, "out");
  await esbuild({ entryPoints: [join(directory, "main.js")], bundle: true, minify: true, outdir });
  assert.deepEqual(await found(await serve(outdir)), FOUND);
});

test("Rollup bundles it", async () => {
  const directory = await project({ "main.js": MAIN, "out/index.html": page("/main.js") });
  const bundle = await rollup({
    input: join(directory, "main.js"),
    plugins: [nodeResolve()],
    onwarn: assert.fail,
  });
  await bundle.write({ dir: join(directory, "out") });
  await bundle.close();
  assert.deepEqual(await found(await serve(join(directory, "out"))), FOUND);
});

test("webpack bundles it", async () => {
  const directory = await project({
    "src/index.js": MAIN.replace("./probe", "../probe"),
    "dist/index.html": page("/main.js"),
  });
  const output = { path: join(directory, "dist") };
  const compiler = webpack({ context: directory, mode: "production", output });
  const stats = await promisify(compiler.run.bind(compiler))();
  const complaints = stats?.toJson({ all: false, errors: true, warnings: true });
  assert.deepEqual(complaints, { errors: [], warnings: [] });
  assert.deepEqual(await found(await serve(join(directory, "dist"))), FOUND);
});

test("Parcel builds with it by default, without reading its exports", async () => {
  const directory = await project({ "main.js": MAIN, "index.html": page("./main.js") });
  const args = [
    "build",
    "index.html",
    "--no-source-maps",
    "--cache-dir",
    "cache",
    "--dist-dir",
    "out",
  ];
  await run(program("parcel"), args, { cwd: directory });
  assert.deepEqual(await found(await serve(join(directory, "out"))), FOUND);
});

for (const readsExports of [true, false]) {
  test(`Metro bundles it ${readsExports ? "by its exports" : "without reading its exports"}`, async () => {
    const directory = await project({
      "main.js": MAIN,
      "out/index.html": '<!doctype html><script src="/main.js"></script>',
    });
    const runtime = fileURLToPath(new URL("node_modules/metro-runtime", import.meta.url));
    const config = mergeConfig(await loadConfig({ cwd: directory }), {
      // Metro finds only files below these folders, its own runtime included.
      watchFolders: [directory, runtime],
      resolver: {
        unstable_enablePackageExports: readsExports,
        // As React Native sets them.
        resolverMainFields: ["react-native", "browser", "main"],
      },
      // In place of React Native's preset for Babel.
      transformer: {
        getTransformOptions: async () => ({ transform: { experimentalImportSupport: true } }),
      },
      cacheStores: [],
      reporter: { update: () => {} },
      maxWorkers: 1,
    });
    const out = join(directory, "out/main.js");
    await runBuild(config, { entry: "main.js", out, platform: "web", minify: true });
    assert.deepEqual(await found(await serve(join(directory, "out"))), FOUND);
  });
}

test("Vite builds with it", async () => {
  const root = await project({ "main.js": MAIN, "index.html": page("/main.js") });
  await vite.build({ root, configFile: false, logLevel: "warn" });
  assert.deepEqual(await found(await serve(join(root, "dist"))), FOUND);
});

test("Vite serves it in development", async () => {
  const root = await project({ "main.js": MAIN, "index.html": page("/main.js") });
  const server = await vite.createServer({
    root,
    configFile: false,
    logLevel: "warn",
    server: { port: 0, host: "127.0.0.1" },
  });
  try {
    await server.listen();
    assert.deepEqual(await found(server.resolvedUrls?.local[0] ?? ""), FOUND);
  } finally {
    await server.close();
  }
});

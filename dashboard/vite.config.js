import { defineConfig } from "vite";

// `npm run dev` forwards the API to a running server, such as that of `make demo`.
const api = process.env.OPENCOMPUTER_API_URL ?? "http://127.0.0.1:8787";

export default defineConfig({
  build: {
    target: "es2022",
    // The Content-Security-Policy allows neither inline scripts nor data URLs of fonts and scripts.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: { proxy: { "/api": api } },
});

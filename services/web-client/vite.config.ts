import { loadEnv } from "vite";
import { defineConfig } from "vitest/config";

export default defineConfig(({ mode }) => ({
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    target: "es2022",
    // The relay's content security policy allows no data: URLs.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: {
    proxy: {
      "/terminal": { target: relayFor(mode), ws: true },
      "/meetings": { target: relayFor(mode) },
    },
  },
  test: {
    environment: "node",
    include: ["tests/**/*.test.ts"],
  },
}));

/** The running relay that `npm run dev` talks to. */
function relayFor(mode: string): string {
  return loadEnv(mode, ".", "TRIBUTARY_")["TRIBUTARY_RELAY"] ?? "http://127.0.0.1:8080";
}

import { defineConfig } from "vite";

import { mediaChromeWithoutInlineStyles } from "./build/media-chrome.js";
import { precompressed } from "./build/precompressed.js";

const EMBED = "upscale-player";

// index.html is served at `/`, everything else below /player/ by origin.routes.
export default defineConfig({
  base: "/player/",
  plugins: [mediaChromeWithoutInlineStyles(), precompressed()],
  resolve: {
    alias: { "lfa-ponyfill": new URL("./build/no-remote-fonts.js", import.meta.url).pathname },
  },
  worker: { format: "es" },
  experimental: {
    // Scripts find their parts beside themselves: pages of other hosts load them from here too.
    renderBuiltUrl: (filename, { hostType }) => (hostType === "html" ? `/player/${filename}` : { relative: true }),
  },
  build: {
    outDir: "dist",
    emptyOutDir: true,
    target: "es2022",
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 1024,
    reportCompressedSize: false,
    license: { fileName: "licenses.txt" },
    rollupOptions: {
      input: { page: "index.html", [EMBED]: "src/embed.ts" },
      preserveEntrySignatures: "exports-only",
      output: {
        entryFileNames: ({ name }) => (name === EMBED ? "[name].js" : "assets/[name]-[hash].js"),
      },
    },
  },
});

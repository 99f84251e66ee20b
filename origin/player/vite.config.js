import { defineConfig } from "vite";

// index.html is served at `/`, everything else below /player/ by origin.routes.
export default defineConfig({
  base: "/player/",
  build: {
    outDir: "dist",
    emptyOutDir: true,
    target: "es2022",
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 1024,
    license: { fileName: "licenses.txt" },
  },
});

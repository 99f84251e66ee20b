import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const TEXT = /\.(js|css|html|svg|json|txt|wasm)$/;
const WORTHWHILE_BYTES = 1024;
/** The best quality takes seconds per megabyte, and only what is lazily loaded is as large as this. */
const LARGE_BYTES = 1_000_000;
const QUICK_QUALITY = 9;

/** Writes `.br` and `.gz` next to each text asset, and says what the page weighs. */
export function precompressed() {
  let directory = "";
  return {
    name: "precompressed",
    apply: "build",
    configResolved(config) {
      directory = config.build.outDir;
    },
    closeBundle() {
      const sizes = files(directory).filter((path) => TEXT.test(path)).map(compress);
      const total = sizes.reduce((sum, { brotli }) => sum + brotli, 0);
      console.log(`precompressed ${sizes.length} assets, ${kilobytes(total)} in all by brotli:`);
      for (const { path, bytes, brotli } of sizes) {
        console.log(`  ${kilobytes(brotli).padStart(9)} of ${kilobytes(bytes).padStart(9)}  ${path}`);
      }
    },
  };
}

function compress(path) {
  const body = readFileSync(path);
  const quality = body.length < LARGE_BYTES ? constants.BROTLI_MAX_QUALITY : QUICK_QUALITY;
  const params = { [constants.BROTLI_PARAM_SIZE_HINT]: body.length, [constants.BROTLI_PARAM_QUALITY]: quality };
  const brotli = brotliCompressSync(body, { params });
  if (body.length >= WORTHWHILE_BYTES) {
    writeFileSync(`${path}.br`, brotli);
    writeFileSync(`${path}.gz`, gzipSync(body, { level: 9 }));
  }
  return { path, bytes: body.length, brotli: brotli.length };
}

function files(directory) {
  return readdirSync(directory).flatMap((name) => {
    const path = join(directory, name);
    return statSync(path).isDirectory() ? files(path) : [path];
  });
}

const kilobytes = (bytes) => `${(bytes / 1000).toFixed(1)} kB`;

// Bundles src/ into built/, which is committed: who runs the sandbox needs no Node. `make page` calls it.
//
// The first line of each result names the sources it came from; tests/drift/test_page_build.py compares it.

import { createHash } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import { build } from "esbuild";

const SOURCES = ["build.mjs", "package.json", "package-lock.json", ...readdirSync("src").map((name) => `src/${name}`)].sort();
const hash = createHash("sha256");
for (const name of SOURCES) hash.update(`${name}\0`).update(readFileSync(name)).update("\0");
const banner = `/* built from sources ${hash.digest("hex")} */`;

await build({
  entryPoints: { page: "src/main.jsx" },
  outdir: "built",
  bundle: true,
  minify: true,
  format: "esm",
  target: ["chrome123", "firefox121", "safari17.5"],
  jsx: "automatic",
  jsxImportSource: "preact",
  external: ["emoji.svg"],
  banner: { js: banner, css: banner },
  legalComments: "none",
  logLevel: "warning",
});

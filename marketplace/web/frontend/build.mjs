// Bundles src/app.js and src/app.css into ../static/dist with the content's hash in each name, and writes
// manifest.json {"app.js": "app.1A2B3C4D.js", …}. The old folder is replaced only when the new one is complete.
import { build } from "esbuild";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";

const here = path.dirname(fileURLToPath(import.meta.url));
const target = path.join(here, "..", "static", "dist");
const making = `${target}.new`;

await rm(making, { recursive: true, force: true });
await mkdir(making, { recursive: true });

const result = await build({
  absWorkingDir: here,
  entryPoints: ["src/app.js", "src/app.css"],
  outdir: making,
  entryNames: "[name].[hash]",
  assetNames: "[name].[hash]",
  bundle: true,
  minify: true,
  format: "iife",
  target: ["es2022", "chrome111", "firefox115", "safari16"],
  loader: { ".svg": "file", ".png": "file", ".woff2": "file" },
  legalComments: "linked", // the licences of what is bundled lie beside it
  metafile: true,
  logLevel: "warning",
});

const manifest = {};
for (const [output, { entryPoint }] of Object.entries(result.metafile.outputs)) {
  if (entryPoint) manifest[path.basename(entryPoint)] = path.basename(output);
}
await writeFile(path.join(making, "manifest.json"), `${JSON.stringify(manifest, null, 2)}\n`);
await rm(target, { recursive: true, force: true });
await rename(making, target);

// Bundles the viewer: npm install, then node build.mjs [FOLDER]. The default is where it is kept.

import { build, transform } from "esbuild";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const out = process.argv[2] ?? join(here, "..", "fieldlr", "export", "static");
const css = readFileSync(join(here, "src", "page", "page.css"), "utf8");
const { code } = await transform(css, { loader: "css", minify: true });

// Shaders: without comments and needless blanks, but with the line of the version.
const shaders = {
  name: "shaders",
  setup: ({ onLoad }) =>
    onLoad({ filter: /drawing\.js$/ }, ({ path }) => ({
      contents: readFileSync(path, "utf8").replace(/`#version 300 es\n([^`]*)`/g, (_, body) => {
        const plain = body.replace(/\/\/.*/g, "").replace(/\s+/g, " ").replace(/ ?([=+*/<>(){},;?:-]) ?/g, "$1");
        return JSON.stringify(`#version 300 es\n${plain}`);
      }),
    })),
};

const page = join(here, "src", "page");
await build({
  // Pages of shapes alone do without what draws scenes.
  entryPoints: { viewer: join(page, "entry.js"), "scene-viewer": join(page, "scene-entry.js") },
  outdir: out,
  bundle: true,
  minify: true,
  format: "iife",
  target: "es2022",
  charset: "utf8",
  define: { STYLE: JSON.stringify(code.trim()) },
  plugins: [shaders],
});

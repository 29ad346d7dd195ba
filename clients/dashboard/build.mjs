// SPDX-License-Identifier: Apache-2.0
// Makes the page: node build.mjs CONTRACT OUTPUT
//
// CONTRACT is schema/openapi.yaml: the types of everything the page asks for, and who may ask for it, are made from it,
// so that a page which does not fit the daemon does not build. OUTPUT gets index.html, app.js and app.css,
// each also as NAME.gz.
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import openapiTS, { astToString } from "openapi-typescript";
import { parse } from "yaml";

const LIMIT_BYTES = 200 * 1024; // gzipped, all files together

const here = dirname(fileURLToPath(import.meta.url));
const [contract, output] = process.argv.slice(2);
if (!contract || !output) {
  console.error("usage: node build.mjs CONTRACT OUTPUT");
  process.exit(2);
}

/** The roles that each operation asks for, by operationId. */
function rolesOf(openapi) {
  const roles = {};
  for (const path of Object.values(openapi.paths))
    for (const operation of Object.values(path))
      if (operation.operationId) roles[operation.operationId] = operation["x-roles"];
  return roles;
}

const generated = join(here, "src", "generated");
mkdirSync(generated, { recursive: true });
writeFileSync(join(generated, "contract.ts"), astToString(await openapiTS(pathToFileURL(contract))));
writeFileSync(
  join(generated, "roles.ts"),
  `export const operationRoles = ${JSON.stringify(rolesOf(parse(readFileSync(contract, "utf8"))), null, 2)} as const;\n`,
);

const require = createRequire(import.meta.url);
execFileSync(process.execPath, [require.resolve("typescript/bin/tsc"), "--project", here], { stdio: "inherit" });

mkdirSync(output, { recursive: true });
await build({
  entryPoints: [join(here, "src", "app.tsx")],
  outdir: output,
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  legalComments: "none",
  logLevel: "warning",
});
writeFileSync(join(output, "index.html"), readFileSync(join(here, "src", "index.html")));

const sizes = ["index.html", "app.js", "app.css"].map((name) => {
  const packed = gzipSync(readFileSync(join(output, name)), { level: 9 });
  writeFileSync(join(output, `${name}.gz`), packed);
  return [name, packed.length];
});
const total = sizes.reduce((sum, [, size]) => sum + size, 0);
console.log(`${sizes.map(([name, size]) => `${name} ${size}`).join(", ")}: ${total} bytes gzipped`);
if (total > LIMIT_BYTES) {
  console.error(`the page has ${total} bytes gzipped; at most ${LIMIT_BYTES} are allowed`);
  process.exit(1);
}

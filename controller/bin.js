#!/usr/bin/env node
// Plain JavaScript without imports, so that an unsuitable Node.js reaches this line and says so.
const [major, minor] = process.versions.node.split('.').map(Number);

if (major < 22 || (major === 22 && minor < 18)) {
  process.stderr.write(
    `muster-controller: needs Node.js 22.18 or newer, this is ${process.version}; run it by npm or npx in the checkout, which bring their own\n`,
  );
  process.exit(1);
}

// Keeps compiled code between runs: the sources need not be stripped of their types again. A package has none, and its folders are not ours to write in.
if (process.getBuiltinModule('node:fs').existsSync(new URL('main.ts', import.meta.url))) {
  const { enableCompileCache } = process.getBuiltinModule('node:module');
  enableCompileCache(new URL('../node_modules/.cache/muster', import.meta.url).pathname);
}

import('./main.ts').then(
  ({ main }) => main(process),
  (error) => {
    process.stderr.write(`muster-controller: cannot start: ${error.stack ?? error}\n`);
    process.exit(1);
  },
);

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { buildDeb, layOut } from './deb.ts';
import { packages } from './packages.ts';
import { projectRoot, version } from './project.ts';
import { buildRelease } from './release.ts';

/** `npm run package`: a Debian package and a plain tarball of each program, and a release of the agent, into `dist/`, or `--out`; `--level` is of compression, `--floor` the oldest version that a device takes after it. Prints what it made, a JSON object a line. */
const { values } = parseArgs({
  options: {
    out: { type: 'string', default: join(projectRoot, 'dist') },
    only: { type: 'string' },
    level: { type: 'string', default: '6' },
    floor: { type: 'string', default: '0.0.0' },
  },
});
const out = resolve(values.out);
const chosen = packages.filter(({ name }) => values.only === undefined || name === values.only);
if (chosen.length === 0) {
  process.stderr.write(
    `no package ${values.only}: expected one of ${packages.map(({ name }) => name).join(', ')}\n`,
  );
  process.exit(2);
}
mkdirSync(out, { recursive: true });
const work = mkdtempSync(join(tmpdir(), 'muster-package-'));
try {
  for (const one of chosen) {
    process.stderr.write(`${one.name} ${version}: bundling\n`);
    const root = join(work, one.name);
    await layOut(one, root);
    process.stderr.write(`${one.name} ${version}: packing\n`);
    const built = buildDeb(one, root, out, Number(values.level));
    // What runs as a release is the same tree, so that a device needs the package once only.
    const home = join(root, 'usr/lib', one.name);
    const level = Number(values.level) === 0 ? 1 : 19;
    const release = one.isReleased && buildRelease(home, { version, floor: values.floor, out, level });
    process.stdout.write(`${JSON.stringify({ ...built, ...release })}\n`);
  }
} finally {
  rmSync(work, { recursive: true, force: true });
}

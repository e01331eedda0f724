import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { parse } from '../../shared/parse.ts';
import { PackagePlatform, ReleaseVersion } from '../../shared/release.ts';
import { buildPlugin } from './plugin.ts';
import { projectRoot } from './project.ts';

/** `npm run package:plugin -- FOLDER`: checks a plugin and packs it into `dist/`, or `--out`, to be signed. Prints what it made as JSON. */
const { values, positionals } = parseArgs({
  options: {
    out: { type: 'string', default: join(projectRoot, 'dist') },
    platform: { type: 'string', default: 'any' },
    floor: { type: 'string', default: '0.0.0' },
  },
  allowPositionals: true,
});
const [folder] = positionals;
if (folder === undefined) {
  process.stderr.write(
    'usage: package-plugin.ts FOLDER [--out FOLDER] [--platform linux-x64] [--floor 1.0.0]\n',
  );
  process.exit(2);
}
try {
  const platform = parse('--platform', PackagePlatform, values.platform);
  const floor = parse('--floor', ReleaseVersion, values.floor);
  process.stdout.write(`${JSON.stringify(buildPlugin({ folder, platform, floor, out: values.out }))}\n`);
} catch (error) {
  process.stderr.write(`${folder}: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}

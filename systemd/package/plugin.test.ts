import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ReleaseManifest } from '../../shared/release.ts';
import { temporaryFolder } from '../../test/harness/temporary-folder.ts';
import { buildPlugin } from './plugin.ts';
import { projectRoot } from './project.ts';

let place: ReturnType<typeof temporaryFolder>;
let folder: string;
beforeEach(() => {
  place = temporaryFolder('package-plugin');
  folder = join(place.path, 'netdiag');
  cpSync(join(projectRoot, 'plugins/netdiag'), folder, { recursive: true });
});
afterEach(() => place[Symbol.dispose]());

const build = (out = 'out') =>
  buildPlugin({ folder, platform: 'any', floor: '1.0.0', out: join(place.path, out) });
const change = (over: Record<string, unknown>): void => {
  const file = join(folder, 'plugin.json');
  writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, 'utf8')), ...over }));
};

test('the manifest comes first, and what is to be signed says what the archive is', () => {
  mkdirSync(join(folder, 'a-folder'));
  writeFileSync(join(folder, 'a-folder/data'), 'x');
  const { release, manifest, releaseBytes } = build();
  const names = execFileSync('tar', ['--zstd', '--list', '--file', release], { encoding: 'utf8' }).split(
    '\n',
  );
  expect(names.slice(0, 3)).toEqual(['plugin.json', 'a-folder/', 'a-folder/data']);
  expect(ReleaseManifest.parse(JSON.parse(readFileSync(manifest, 'utf8')))).toMatchObject({
    ...{ name: 'netdiag', version: '1.0.0', platform: 'any', floor: '1.0.0', bytes: releaseBytes },
  });
});

test('the same files give the same bytes, whenever and by whomever they were checked out', () => {
  const first = readFileSync(build('first').release);
  utimesSync(join(folder, 'netdiag.js'), 1, 1);
  chmodSync(join(folder, 'netdiag.js'), 0o664);
  expect(readFileSync(build('second').release).equals(first)).toBe(true);
});

const type = (over: object) => ({ task_types: { LOOK: { summary: 'Looks', parameters: {}, ...over } } });
test.each<[string, Record<string, unknown>, string]>([
  ['has no valid name', { name: 'muster-x' }, 'name of a plugin'],
  ['names a program that is not there', { program: 'nothing' }, 'no program nothing'],
  ['names a program outside', { program: '../netdiag.js' }, 'a path inside of the archive'],
  ['has a program that is not executable', { runtime: undefined }, 'not executable'],
  ['has parameters that are no object', type({ parameters: { type: 'string' } }), 'parameters.type'],
  [
    'has a schema that cannot be used',
    type({ parameters: { type: 'object' }, result: { type: 'object', if: {} } }),
    'result of NETDIAG.LOOK',
  ],
  ['says more than is known', { more: 1 }, 'more'],
])('a plugin that %s is not packed', (_what, over, message) => {
  change(over);
  expect(() => build()).toThrow(message);
});

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  apply,
  armed,
  crashFiles,
  TransactionUnderTest,
  writeCrashFiles,
} from '../harness/linux-transaction.ts';
import { lacks, notTested } from '../harness/not-tested.ts';
import { projectRoot } from '../harness/source-files.ts';

/** One thing that a traced process did to a path. */
interface Call {
  what: 'write' | 'fsync' | 'rename' | 'delete';
  path: string;
  /** Of a rename. */
  from?: string;
}

const traced = 'write,copy_file_range,sendfile,fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat';

/** What a program and its children did to the disk, in the order in which it was done. */
function trace(folder: string, argv: string[]): Call[] {
  const output = join(folder, 'trace');
  const options = ['-f', '-y', '-qq', '-s', '0', '--seccomp-bpf', '-e', `trace=${traced}`, '-o', output];
  const { status, stderr } = spawnSync('strace', [...options, ...argv]);
  expect(status, stderr.toString()).toBe(0);
  return readFileSync(output, 'utf8').split('\n').flatMap(parseCall);
}

/** `pid name(arguments) = result`, or the two halves of it around what another thread did meanwhile: the later half has no path. */
function parseCall(line: string): Call[] {
  const [, name = '', args = ''] = /^\d+\s+(\w+)\((.*)$/.exec(line) ?? [];
  if (line.includes(' = -1 ')) return [];
  const descriptors = [...args.matchAll(/\d+<([^>]*)>/g)].map(([, path = '']) => path);
  const names = [...args.matchAll(/"([^"]*)"/g)].map(([, path = '']) => path);
  if (name.startsWith('rename')) return [{ what: 'rename', path: names[1] ?? '', from: names[0] ?? '' }];
  if (name.startsWith('unlink')) return [{ what: 'delete', path: names[0] ?? '' }];
  if (name === 'fsync' || name === 'fdatasync') return [{ what: 'fsync', path: descriptors[0] ?? '' }];
  if (name === 'copy_file_range') return [{ what: 'write', path: descriptors[1] ?? '' }];
  return name === '' ? [] : [{ what: 'write', path: descriptors[0] ?? '' }];
}

/** Position of the first such call after `from`; fails when there is none. */
function position(calls: Call[], wanted: Partial<Call>, from = -1): number {
  const found = calls.findIndex(
    (call, index) =>
      index > from && Object.entries(wanted).every(([key, value]) => call[key as keyof Call] === value),
  );
  expect(found, `${JSON.stringify(wanted)} after ${JSON.stringify(calls[from])}`).toBeGreaterThan(from);
  return found;
}

/** The draft was written and brought to the disk, then renamed, then its folder brought to the disk. Returns where the rename is. */
function expectDurableReplacement(calls: Call[], path: string): number {
  const rename = calls.findLastIndex((call) => call.what === 'rename' && call.path === path);
  const draft = calls[rename]?.from;
  expect(draft, `a rename to ${path}`).toBeDefined();
  expect(dirname(draft ?? ''), 'the draft is in the folder of its file').toBe(dirname(path));
  const written = calls.findLastIndex(({ what, path: one }) => what === 'write' && one === draft);
  expect(written, `${draft} is written`).toBeGreaterThanOrEqual(0);
  const synced = position(calls, { what: 'fsync', path: draft ?? '' }, written);
  expect(synced, `${draft} is on the disk before its rename`).toBeLessThan(rename);
  position(calls, { what: 'fsync', path: dirname(path) }, rename);
  return rename;
}

describe.skipIf(notTested('the order in which things come to the disk', lacks('strace')))('the disk', () => {
  test('gets each new file as write, fsync, rename, fsync of the folder; the journal comes first', () => {
    using device = new TransactionUnderTest();
    writeCrashFiles(device);
    const driver = join(projectRoot, 'test', 'harness', 'transaction-driver.ts');
    const calls = trace(device.path, [process.execPath, driver, device.path]);

    const files = crashFiles(device);
    const written = Object.keys(files).filter((path) => files[path] !== null);
    const renames = written.map((path) => expectDurableReplacement(calls, path));
    const deleted = Object.keys(files).find((path) => files[path] === null) ?? '';
    const deletion = position(calls, { what: 'delete', path: deleted });
    position(calls, { what: 'fsync', path: dirname(deleted) }, deletion);

    const [journal, manifest] = ['journal', 'snapshot/manifest'].map((name) =>
      device.transactions('first', name),
    );
    const snapshot = expectDurableReplacement(calls, manifest ?? '');
    const first = Math.min(...renames, deletion);
    const records = calls.flatMap(({ what, path }, index) =>
      path === journal && what === 'write' ? [index] : [],
    );
    for (const record of records) position(calls, { what: 'fsync', path: journal ?? '' }, record);
    const before = records.filter((record) => record < first); // RECEIVED, SNAPSHOTTED, ARMED, APPLYING
    expect(before).toHaveLength(4);
    expect(position(calls, { what: 'fsync', path: journal ?? '' }, before.at(-1))).toBeLessThan(first);
    expect(snapshot).toBeLessThan(before[1] ?? 0);
    for (const path of Object.keys(files).filter((one) => !one.includes('made'))) {
      const copy = `${device.transactions('first', 'snapshot', 'files')}${path}`;
      expect(position(calls, { what: 'fsync', path: copy })).toBeLessThan(snapshot);
    }
  });

  test('gets each old file back in the same order, and the verdict after all of them', async () => {
    using device = new TransactionUnderTest();
    writeCrashFiles(device);
    const files = crashFiles(device);
    await apply(await armed(device, { files }), files);
    const guard = device.transactions('first', 'guard.sh');
    const calls = trace(device.path, ['/bin/sh', guard, 'roll-back', device.transactions('first'), 'traced']);

    const back = ['changed', 'sub/changed too', 'deleted'].map((name) => device.etc(name));
    const renames = back.map((path) => expectDurableReplacement(calls, path));
    const deletion = position(calls, { what: 'delete', path: device.etc('made.d/made') });
    position(calls, { what: 'fsync', path: device.etc('made.d') }, deletion);

    const journal = device.transactions('first', 'journal');
    const decided = position(calls, { what: 'fsync', path: journal });
    expect(decided).toBeLessThan(Math.min(...renames, deletion));
    const verdict = calls.findLastIndex(({ what, path }) => what === 'write' && path === journal);
    expect(verdict).toBeGreaterThan(Math.max(...renames, deletion));
    position(calls, { what: 'fsync', path: journal }, verdict);
  });
});

import { existsSync, readFileSync, readdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { temporaryFolder } from '../../test/harness/temporary-folder.ts';
import type { Archive } from '../../shared/api/backups.ts';
import { FakeController, paged, refused } from '../testing/fake-controller.ts';
import { runMuster } from '../testing/run-muster.ts';
import { sampleAnswer, sampleTask } from '../testing/samples.ts';
import { sampleArchive, sha256 } from '../testing/sealed-archive.ts';

const home = '/api/v1/organizations/default';
const all = `${home}/backups`;
const one = `${all}/Ab12Cd34`;

let controller: FakeController;
beforeEach(async () => {
  controller = await FakeController.start();
  return () => controller.close();
});
const backup = (args: string[]) => runMuster(['backup', ...args], { url: controller.url });

test('run makes tasks, waits, and tells the archives', async () => {
  const result = {
    outcome: 'stored',
    archive: 'Ab12Cd34',
    level: 'readable',
    files: 12,
    archive_bytes: 2048,
    skipped: [{}],
  };
  const task = sampleTask({
    type: 'BACKUP',
    status: 'COMPLETED',
    completed_at: '2026-01-01T00:00:02.000Z',
    result,
  });
  controller.on(`POST ${all}`, () => {
    controller.add(task);
    return { body: sampleAnswer(task) };
  });
  const { exitCode, stdout } = await backup([
    'run',
    '--all',
    '--full',
    '--canary',
    '1',
    '--wait',
    '-f',
    'simple',
  ]);
  expect(exitCode).toBe(0);
  expect(stdout).toMatch(/edge-1 +COMPLETED +stored +Ab12Cd34 +readable +12 +2.0 KiB +1 files were left out/);
  expect(controller.requests(`POST ${all}`)[0]?.body).toEqual({
    targets: { all: true },
    rollout: { canary: 1 },
    full: true,
  });
});

test('lists and describes archives; a damaged one says so', async () => {
  const damaged = sampleArchive({ id: 'Zz', damaged_at: '2026-01-02T00:00:00.000Z', damage: 'it is gone' });
  controller.on(`GET ${all}`, ({ query }) => ({ body: paged([sampleArchive(), damaged], query) }));
  controller.on(`GET ${all}/Zz`, { body: damaged });
  const { stdout } = await backup(['list', '-f', 'simple', '--device', 'edge', '--level', 'Readable']);
  expect(stdout).toMatch(/Ab12Cd34 +edge-1 .* readable +2 +4.0 KiB .*\nZz .* damaged /);
  expect(controller.seen[0]?.query).toMatchObject({ device: 'edge', level: 'readable' });
  expect((await backup(['describe', 'Zz'])).stdout).toMatch(/Damage: +it is gone\n/);
});

describe('download', () => {
  const bytes = Buffer.from(Array.from({ length: 200_000 }, (_, at) => (at * 7) % 251));
  const archive = (changes: Partial<Archive> = {}) =>
    sampleArchive({ size: bytes.length, sha256: sha256(bytes), ...changes });
  const partialOf = (file: string) => `${file}.${sha256(bytes).slice(0, 12)}.partial`;
  const ranges = () => controller.requests(`GET ${one}/content`).map(({ headers }) => headers.range);

  async function inFolder<Result>(work: (file: string) => Promise<Result>): Promise<Result> {
    using folder = temporaryFolder('cli-download');
    return await work(join(folder.path, 'archive.age'));
  }
  beforeEach(() => {
    controller.on(`GET ${one}`, { body: archive() });
    controller.on(`GET ${one}/content`, { bytes });
  });
  const download = (file: string, ...more: string[]) => backup(['download', 'Ab12Cd34', '-O', file, ...more]);

  test('stores exactly the bytes, readable by its owner only, and leaves nothing else', async () => {
    await inFolder(async (file) => {
      const { exitCode, stderr } = await download(file);
      expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: `${file}: 195.3 KiB, digest as signed\n` });
      expect(readFileSync(file).equals(bytes)).toBe(true);
      expect(statSync(file).mode & 0o777).toBe(0o600);
      expect(readdirSync(join(file, '..'))).toEqual(['archive.age']);
    });
  });

  test('goes on where the connection broke, several times', async () => {
    let left = 3;
    controller.on(`GET ${one}/content`, () => {
      left -= 1;
      return left > 0 ? { bytes, cutAfter: 60_000 } : { bytes };
    });
    await inFolder(async (file) => {
      const { exitCode, stderr } = await download(file);
      expect(exitCode).toBe(0);
      expect(stderr).toContain('the connection broke after');
      expect(readFileSync(file).equals(bytes)).toBe(true);
    });
    const starts = ranges().map((range) => Number(/\d+/.exec(range ?? '0')?.[0]));
    expect(starts[0]).toBe(0);
    expect(starts).toEqual(starts.toSorted((a, b) => a - b));
    expect(new Set(starts).size).toBe(3);
  });

  test('goes on with what an earlier download had left', async () => {
    await inFolder(async (file) => {
      writeFileSync(partialOf(file), bytes.subarray(0, 150_000), { mode: 0o644 });
      const { stdout } = await download(file, '--json');
      expect(JSON.parse(stdout)).toMatchObject({
        file,
        bytes: 200_000,
        resumed_at: 150_000,
        sha256: sha256(bytes),
      });
      expect(readFileSync(file).equals(bytes)).toBe(true);
      expect(statSync(file).mode & 0o777).toBe(0o600);
    });
    expect(ranges()).toEqual(['bytes=150000-']);
  });

  test('begins anew when what was left is wrong, or longer than the archive', async () => {
    for (const wrong of [Buffer.alloc(150_000), Buffer.alloc(300_000)]) {
      await inFolder(async (file) => {
        writeFileSync(partialOf(file), wrong);
        expect((await download(file)).exitCode).toBe(0);
        expect(readFileSync(file).equals(bytes)).toBe(true);
      });
    }
  });

  test('goes on although the controller sends everything again', async () => {
    controller.on(`GET ${one}/content`, { bytes, wholeOnly: true });
    await inFolder(async (file) => {
      writeFileSync(partialOf(file), bytes.subarray(0, 150_000));
      expect((await download(file)).exitCode).toBe(0);
      expect(readFileSync(file).equals(bytes)).toBe(true);
    });
  });

  test('bytes with another digest are not kept', async () => {
    const other = Buffer.from(bytes);
    other[100] = 0xff;
    controller.on(`GET ${one}/content`, { bytes: other });
    await inFolder(async (file) => {
      const { exitCode, stderr } = await download(file);
      expect({ exitCode, stderr }).toMatchObject({
        exitCode: 1,
        stderr: expect.stringContaining('does not have its digest'),
      });
      expect(readdirSync(join(file, '..'))).toEqual([]);
    });
  });

  test('more bytes than the archive has are refused', async () => {
    controller.on(`GET ${one}/content`, { bytes: Buffer.concat([bytes, Buffer.alloc(10)]) });
    await inFolder(async (file) => expect((await download(file)).stderr).toContain('sends more'));
  });

  test('never replaces a file, and is content with the archive that is there already', async () => {
    await inFolder(async (file) => {
      writeFileSync(file, 'mine');
      const { exitCode, stderr } = await download(file);
      expect({ exitCode, stderr }).toMatchObject({
        exitCode: 2,
        stderr: expect.stringContaining('is another file'),
      });
      expect(readFileSync(file, 'utf8')).toBe('mine');
      writeFileSync(file, bytes);
      expect((await download(file)).stderr).toContain('was there already');
    });
    expect(ranges()).toEqual([]);
  });

  test('follows no link that lies where it wants to write', async () => {
    await inFolder(async (file) => {
      symlinkSync(`${file}.elsewhere`, partialOf(file));
      expect((await download(file)).exitCode).toBe(2);
      expect(existsSync(`${file}.elsewhere`)).toBe(false);
    });
  });

  test('an archive that does not exist is named', async () => {
    controller.on(`GET ${one}`, refused(404, 'not_found', 'Archive Ab12Cd34 does not exist'));
    await inFolder(async (file) => expect((await download(file)).exitCode).toBe(5));
  });
});

/** In the shape of a recipient. */
const ageOf = (letter: string) => `age1${letter.repeat(58)}`;

describe('config', () => {
  const config = {
    recipients: [ageOf('q'), ageOf('p')],
    include: ['/srv'],
    exclude: [],
    max_bytes: 4_294_967_296,
    full_every_days: 30,
    retention: { last: 7, hourly: 0, daily: 14, weekly: 8, monthly: 12, yearly: 0, within_days: 0 },
  };
  beforeEach(() => {
    controller.on(`GET ${home}/backup-config`, { body: { ...config, new_field: 1 } });
    controller.on(`PUT ${home}/backup-config`, ({ body }) => ({ body }));
  });

  test('is shown', async () => {
    const { stdout } = await backup(['config', 'show']);
    expect(stdout).toMatch(/Recipient: +age1q+\nRecipient: +age1p+\nInclude: +\/srv\nAt most: +4.0 GiB\n/);
    expect(stdout).toMatch(/Kept: +the last 7, 14 daily, 8 weekly, 12 monthly\n/);
  });

  test('set changes what is given and keeps the rest', async () => {
    const args = [
      '--recipient',
      ageOf('x'),
      '--recipient',
      ageOf('y'),
      '--clear-include',
      '--max-bytes',
      '1GiB',
      '--keep-daily',
      '0',
    ];
    expect((await backup(['config', 'set', ...args])).exitCode).toBe(0);
    expect(controller.requests(`PUT ${home}/backup-config`)[0]?.body).toEqual({
      ...config,
      recipients: [ageOf('x'), ageOf('y')],
      include: [],
      max_bytes: 1_073_741_824,
      retention: { ...config.retention, daily: 0 },
    });
  });

  test('set refuses nothing, contradictions and sizes that are none', async () => {
    for (const args of [
      [],
      ['--include', '/a', '--clear-include'],
      ['--max-bytes', '4GB'],
      ['--keep-last', '-1'],
    ]) {
      expect({ args, exitCode: (await backup(['config', 'set', ...args])).exitCode }).toEqual({
        args,
        exitCode: 2,
      });
    }
    expect(controller.seen).toEqual([]);
  });
});

describe('retention', () => {
  const route = `POST ${all}/retention`;
  const kept = {
    archive: 'A1',
    device_name: 'edge-1',
    made_at: '2026-01-02T00:00:00.000Z',
    reasons: ['last', 'newest verified'],
  };
  const gone = { archive: 'A0', device_name: 'edge-1', made_at: '2026-01-01T00:00:00.000Z', size: 4096 };
  const plan = { plan: 'digest-1', keep: [kept], delete: [gone], deleted: 0 };
  beforeEach(() => {
    controller.on(route, ({ body }) => ({ body: { ...plan, deleted: 'apply' in (body as object) ? 1 : 0 } }));
  });

  test('shows the plan and deletes nothing', async () => {
    const { stdout, stderr } = await backup(['retention', '--device', 'edge-1', '-f', 'simple']);
    expect(stdout).toMatch(/keep +edge-1 +A1 .* last, newest verified\ndelete +edge-1 +A0 .*4.0 KiB/);
    expect(stderr).toBe('1 stay; 1 archive (4.0 KiB) would go\n');
    expect(controller.requests(route).map(({ body }) => body)).toEqual([{ device: 'edge-1' }]);
  });

  test('--apply deletes exactly the plan that was shown, and off a terminal only with --yes', async () => {
    expect((await backup(['retention', '--apply'])).exitCode).toBe(2);
    expect(controller.seen).toEqual([]);
    const { exitCode, stderr } = await backup(['retention', '--apply', '--yes']);
    expect({ exitCode, stderr }).toMatchObject({
      exitCode: 0,
      stderr: expect.stringContaining('Deleted 1 of 1'),
    });
    expect(controller.requests(route).map(({ body }) => body)).toEqual([{}, { apply: 'digest-1' }]);
  });

  test('with nothing to delete it applies nothing', async () => {
    controller.on(route, { body: { ...plan, delete: [] } });
    expect((await backup(['retention', '--apply', '--yes'])).exitCode).toBe(0);
    expect(controller.requests(route)).toHaveLength(1);
  });
});

import { readdirSync, readFileSync, statSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { expect, test } from 'vitest';
import { systemClock } from '../../shared/node/system-clock.ts';
import { maxRecordingBytes, maxRecordings } from '../../shared/task-types/connect.ts';
import { temporaryFolder } from '../../test/harness/temporary-folder.ts';
import { Recording } from './recording.ts';
import { bringAway, leftRecordings, maxUnsentBytes, Recordings } from './recordings.ts';

const size = { columns: 80, rows: 24 };

test('a recording that is full says so as its last line, and stays within its bound', async () => {
  using folder = temporaryFolder('recording');
  const file = join(folder.path, 'one.cast');
  const recording = new Recording(file, systemClock, { ...size, title: 'edge-1' });
  // Control characters take six bytes each in JSON: the bound is of the file, not of what was shown.
  const chunk = Buffer.alloc(64 * 1024, 0x1b);
  for (let written = 0; written < maxRecordingBytes / 3; written += chunk.length) {
    recording.output(chunk);
    await new Promise(setImmediate);
  }
  const finished = await recording.finish();
  expect(finished?.size).toBeLessThanOrEqual(maxRecordingBytes);
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
  expect(lines.at(-1)).toMatch(/\[the recording is full\]|\[the disk is too slow for the recording\]/);
  expect(lines.filter((line) => line.includes('[the ')).length).toBe(1);
});

test('a character that was cut between two writes is whole in the recording', async () => {
  using folder = temporaryFolder('recording');
  const file = join(folder.path, 'one.cast');
  const recording = new Recording(file, systemClock, { ...size, title: 'edge-1' });
  const bytes = Buffer.from('grün');
  recording.output(bytes.subarray(0, 3));
  recording.output(bytes.subarray(3));
  await recording.finish();
  const events = readFileSync(file, 'utf8').trimEnd().split('\n').slice(1);
  expect(events.map((line) => (JSON.parse(line) as [number, string, string])[2]).join('')).toBe('grün');
});

test('a session records so many shells, and refuses further ones rather than not recording them', async () => {
  using folder = temporaryFolder('recording');
  const recordings = new Recordings({ folder: folder.path, code: 'aB3dE6gH' }, systemClock, 'edge-1');
  for (let count = 0; count < maxRecordings; count += 1) recordings.begin(size);
  expect(() => recordings.begin(size)).toThrow(/100 shells already/);
  expect((await recordings.finish()).length).toBe(maxRecordings);
});

test('a recording that cannot be brought away is told, and stays on the device', async () => {
  using folder = temporaryFolder('recording');
  const place = { folder: folder.path, code: 'aB3dE6gH' };
  const recordings = new Recordings(place, systemClock, 'edge-1');
  recordings.begin(size);
  recordings.begin(size);
  const files = await recordings.finish();
  const lost: string[] = [];
  let first = true;
  const upload = async (): Promise<void> => {
    if (first) {
      first = false;
      throw new Error('no room');
    }
  };
  expect(await bringAway(files, upload, (reason) => lost.push(reason))).toEqual([files[1]?.sha256]);
  const unsent = join(folder.path, 'unsent', basename(files[0]?.file ?? ''));
  expect(lost).toEqual([`no room; it stays on the device as ${unsent}`]);
  expect(statSync(unsent).size).toBe(files[0]?.size);
  expect(await leftRecordings(place)).toEqual([]);
});

test('of recordings that were not brought away the newest stay, within a bound', async () => {
  using folder = temporaryFolder('recording');
  const fail = async (): Promise<void> => {
    throw new Error('no line');
  };
  for (const [index, name] of ['old', 'middle', 'new'].entries()) {
    const file = join(folder.path, `${name}.cast`);
    writeFileSync(file, '');
    truncateSync(file, maxUnsentBytes / 2);
    utimesSync(file, index, index);
    await bringAway([{ file, size: maxUnsentBytes / 2, sha256: name }], fail, () => undefined);
  }
  expect(readdirSync(join(folder.path, 'unsent')).sort()).toEqual(['middle.cast', 'new.cast']);
});

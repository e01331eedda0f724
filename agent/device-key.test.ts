import { utimesSync } from 'node:fs';
import { expect, test } from 'vitest';
import { generateKeyPair } from '../shared/node/keys.ts';
import { temporaryFolder } from '../test/harness/temporary-folder.ts';
import { DataFolder } from './data-folder.ts';
import { DeviceKey } from './device-key.ts';
import { saveKeys } from './identity.ts';

const day = 86_400_000;
const now = Date.UTC(2026, 5, 1);

test.each([
  ['a day ago', -day, false],
  ['longer ago than it may be', -91 * day, true],
  ['some minutes ahead, by a clock that was mended', day / 100, false],
  ['a year ahead, so that its age is not known', 365 * day, true],
])('a key that was made %s', (_when, at, isOld) => {
  using folder = temporaryFolder('device-key');
  const data = new DataFolder(folder.path);
  const key = new DeviceKey(data, saveKeys(data, generateKeyPair()));
  utimesSync(data.key, (now + at) / 1000, (now + at) / 1000);
  expect(key.isOlderThan(90 * day, now)).toBe(isOld);
});

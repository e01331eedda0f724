import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { temporaryFolder } from '../../test/harness/temporary-folder.ts';
import { createFacts } from './facts.ts';
import { machineTimezone } from './timezone.ts';

let root: string;
beforeEach(() => {
  const made = temporaryFolder('timezone');
  root = made.path;
  mkdirSync(join(root, 'etc'));
  return () => made[Symbol.dispose]();
});
const link = (to: string) => symlinkSync(to, join(root, 'etc/localtime'));
const write = (path: string, text: string) => {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
};

test.each([
  ['/usr/share/zoneinfo/Europe/Berlin', 'Europe/Berlin'],
  ['../usr/share/zoneinfo/America/Argentina/Ushuaia', 'America/Argentina/Ushuaia'],
  ['/usr/share/zoneinfo/posix/Asia/Kolkata', 'Asia/Kolkata'],
  ['/usr/share/zoneinfo/Etc/UTC', 'Etc/UTC'],
  ['/usr/share/zoneinfo/localtime', 'UTC'],
  ['/somewhere/else', 'UTC'],
])('a link to %s means %s', async (to, zone) => {
  link(to);
  expect(await machineTimezone(root)).toBe(zone);
});

test('where the clock file is a copy, the file beside it names the zone', async () => {
  write('etc/localtime', 'TZif2');
  write('etc/timezone', 'Australia/Lord_Howe\n');
  expect(await machineTimezone(root)).toBe('Australia/Lord_Howe');
  write('etc/timezone', 'nonsense\n');
  expect(await machineTimezone(root)).toBe('UTC');
  write('var/db/zoneinfo', 'America/Santiago\n');
  expect(await machineTimezone(root)).toBe('America/Santiago');
});

test('a machine that says nothing is in UTC; one that moves says so without a restart', async () => {
  expect(await machineTimezone(root)).toBe('UTC');
  const facts = createFacts(() => machineTimezone(root));
  expect(await facts.collect()).toMatchObject({ timezone: 'UTC' });
  link('/usr/share/zoneinfo/Africa/Casablanca');
  expect(await facts.collect()).toMatchObject({ timezone: 'Africa/Casablanca' });
});

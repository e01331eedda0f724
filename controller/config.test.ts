import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { hostPortOf, isLoopback, loadConfig, settingsOf } from './config.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'muster-config-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const file = (text: string): string => {
  const path = join(folder, 'controller.yaml');
  writeFileSync(path, text);
  return path;
};

test('flags stand above the environment, the environment above the file', async () => {
  const path = file('listen: 127.0.0.1:1\nlog_level: warn\ntask_retention_days: 7\n');
  const env = { MUSTER_CONTROLLER_LISTEN: '127.0.0.1:2', MUSTER_CONTROLLER_LOG_LEVEL: 'error' };
  const config = await loadConfig(env, path, { listen: '127.0.0.1:3' });
  expect(config).toMatchObject({ listen: '127.0.0.1:3', log_level: 'error', task_retention_days: 7 });
  expect(settingsOf(config, 'http://fallback').taskRetentionMs).toBe(7 * 86_400_000);
  expect(settingsOf(config, 'http://fallback').publicUrl).toBe('http://fallback');
});

test.each([
  ['log_level: warn\nlisen: x\n', 'controller.yaml:2: unknown key lisen'],
  ['listen: 7443\n', 'controller.yaml:1: listen'],
  ['listen: [1\n', 'controller.yaml:'],
])('a file with %j is refused by file and line', async (text, says) => {
  await expect(loadConfig({}, file(text), {})).rejects.toThrow(says);
});

test('a variable that is wrong is named', async () => {
  const wrong = loadConfig({ MUSTER_CONTROLLER_LISEN: 'x' }, file(''), {});
  await expect(wrong).rejects.toThrow('MUSTER_CONTROLLER_LISEN');
});

test('a file that was named must exist', async () => {
  await expect(loadConfig({}, join(folder, 'missing.yaml'), {})).rejects.toThrow('missing.yaml');
});

test.each([
  ['127.0.0.1:7443', '127.0.0.1', 7443, true],
  ['[::1]:80', '::1', 80, true],
  ['localhost:80', 'localhost', 80, true],
  ['0.0.0.0:7443', '0.0.0.0', 7443, false],
  ['127.example.org:80', '127.example.org', 80, false],
] as const)('%s is %s, port %i; on loopback only: %s', (listen, host, port, loopback) => {
  expect(hostPortOf(listen)).toEqual({ host, port });
  expect(isLoopback(host)).toBe(loopback);
});

import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { spawn } from '@lydell/node-pty';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../../test/harness/temporary-folder.ts';
import { until } from '../../test/harness/until.ts';

const program = join(import.meta.dirname, 'sign.ts');
const sign = (...args: string[]) => promisify(execFile)(process.execPath, [program, ...args]);

/** A release that nobody signed yet. */
function releaseIn(folder: string): string {
  const file = join(folder, 'release');
  writeFileSync(file, 'a release');
  const manifest = {
    ...{ name: 'muster-agent', version: '1.2.3', platform: 'linux-x64', floor: '0.0.0' },
    ...{ bytes: 9, unpacked_bytes: 9 },
  };
  writeFileSync(`${file}.manifest.json`, JSON.stringify(manifest));
  return file;
}

test('a new key asks for its passphrase twice, shows it to nobody, and signs with it', {
  timeout: 120_000,
}, async () => {
  using folder = temporaryFolder('sign');
  const [key, release] = [join(folder.path, 'key'), releaseIn(folder.path)];
  const terminal = spawn(process.execPath, [program, '--new-key', key], { cols: 100, rows: 30 });
  let shown = '';
  let exitCode: number | undefined;
  terminal.onData((text) => void (shown += text));
  terminal.onExit((end) => void (exitCode = end.exitCode));
  await until('it asks', () => shown.includes('Passphrase of the key'));
  terminal.write('correct horse\r');
  await until('it asks again', () => shown.includes('once more'));
  terminal.write('correct horse\r');
  await until('it ends', () => exitCode !== undefined, { deadlineMs: 60_000 });
  expect(exitCode, shown).toBe(0);
  expect(shown).not.toContain('horse');
  expect(statSync(key).mode & 0o777).toBe(0o600);

  const argv = [program, '--key', key, '--passphrase-file', '/dev/fd/3', release];
  const end = spawnSync('sh', ['-c', 'exec "$0" "$@" 3<<E\ncorrect horse\nE\n', process.execPath, ...argv]);
  expect(end.stderr.toString()).toBe('');
  const said = execFileSync('minisign', ['-V', '-p', `${key}.pub`, '-m', release], { encoding: 'utf8' });
  expect(said).toContain('"version":"1.2.3"');
});

test('a key without a passphrase is made only when that is said, and never over another one', async () => {
  using folder = temporaryFolder('sign');
  const [key, release] = [join(folder.path, 'key'), releaseIn(folder.path)];
  await expect(sign('--new-key', key)).rejects.toMatchObject({
    stderr: expect.stringContaining('no terminal'),
  });
  await sign('--new-key', key, '--no-passphrase');
  await expect(sign('--new-key', key, '--no-passphrase')).rejects.toMatchObject({
    stderr: expect.stringContaining('there already'),
  });
  expect((await sign('--key', key, release)).stdout).toBe(`${release}.minisig\n`);
});

test.each([['--key'], [], ['--key', 'nowhere', 'nothing']])(
  'what cannot be done says why: %j',
  async (...args) => {
    const failed = await sign(...args).catch((error: unknown) => error);
    expect(failed).toMatchObject({
      code: expect.any(Number),
      stderr: expect.not.stringContaining('    at '),
    });
  },
);

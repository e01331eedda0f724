import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { UnitCommand } from '../../../shared/device-profile.ts';
import { createProcesses } from '../../system/processes.ts';
import { createCommands } from './commands.ts';
import { BoundedText } from './commands-output.ts';

const run = createCommands({ processes: createProcesses(), folder: '/nowhere' });
const onHost = (argv: string[], { timeout_s = 30, signal = new AbortController().signal } = {}) =>
  run(UnitCommand.parse({ argv, timeout_s }), 'host', { signal });

describe('a command of a profile', () => {
  test('is recorded with how it ended and what it wrote', async () => {
    expect(await onHost(['sh', '-c', 'echo out; echo err >&2; exit 3'])).toMatchObject({
      argv: ['sh', '-c', 'echo out; echo err >&2; exit 3'],
      exitCode: 3,
      timedOut: false,
      stdout: 'out\n',
      output: expect.stringMatching(/^(out\nerr|err\nout)\n$/),
    });
  });

  test('that takes too long is ended with all it started', async () => {
    const record = await onHost(['sh', '-c', 'sleep 4714 & wait'], { timeout_s: 1 });
    expect(record).toMatchObject({ exitCode: null, timedOut: true });
    expect(spawnSync('pgrep', ['-f', 'sleep 4714']).status).toBe(1);
  });

  test('ends with the task', async () => {
    const task = new AbortController();
    const running = onHost(['sh', '-c', 'sleep 4715'], { signal: task.signal });
    task.abort(new Error('the task was cancelled'));
    await expect(running).rejects.toThrow('the task was cancelled');
  });

  test('that is not on the machine is named', async () => {
    await expect(onHost(['no-such-program'])).rejects.toMatchObject({ code: 'program_missing' });
  });

  test('keeps the beginning and the end of much output, and all of what it wrote to stdout', async () => {
    const record = await onHost(['sh', '-c', 'echo first; yes x | head -c 200000; echo last']);
    expect(Buffer.byteLength(record.output)).toBeLessThanOrEqual(65_536);
    expect(record.output).toMatch(/^first\n[^]*\n\[\.\.\. \d+ bytes left out \.\.\.\]\n[^]*last\n$/);
    expect(record.stdout).toHaveLength(200_011);
  });

  test('is stopped when it writes more to stdout than anything can be made of', async () => {
    await expect(onHost(['cat', '/dev/zero'])).rejects.toMatchObject({ code: 'too_much_output' });
  });
});

test('the beginning is kept also of text that comes all at once', () => {
  const bounded = new BoundedText(8192);
  bounded.add(`first ${'x'.repeat(100_000)} last`);
  expect(bounded.toString()).toMatch(/^first x[^]*bytes left out[^]*x last$/);
});

test('bounded text is whole when it fits, and never larger than its bound', () => {
  const pieces = fc.array(fc.string({ unit: 'grapheme', maxLength: 3000 }), { maxLength: 20 });
  fc.assert(
    fc.property(pieces, (texts) => {
      const bounded = new BoundedText(8192);
      for (const text of texts) bounded.add(text);
      const [whole, kept] = [texts.join(''), bounded.toString()];
      expect(Buffer.byteLength(kept)).toBeLessThanOrEqual(8192);
      if (Buffer.byteLength(whole) <= 4000) expect(kept).toBe(whole);
      if (kept !== whole) expect(kept).toContain('bytes left out');
    }),
  );
});

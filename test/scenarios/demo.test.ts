import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { projectRoot } from '../harness/source-files.ts';

test('the demo goes through to its end, with nothing to be surprised at', async () => {
  const child = spawn(process.execPath, [join(projectRoot, 'test/demo.ts'), '--once'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NO_COLOR: '1' },
  });
  let output = '';
  child.stdout.on('data', (text: Buffer) => (output += text.toString()));
  child.stderr.on('data', (text: Buffer) => (output += text.toString()));
  const [exitCode] = (await once(child, 'close')) as [number | null];
  expect(exitCode, output).toBe(0);
  expect(output).toContain('FAILED interrupted, and it is not run again');
  expect(output).not.toContain('✗');
});

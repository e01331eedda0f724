import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { buildPlugin } from '../systemd/package/plugin.ts';
import { projectRoot } from './harness/source-files.ts';
import { temporaryFolder } from './harness/temporary-folder.ts';

const document = readFileSync(join(projectRoot, 'docs/plugins.md'), 'utf8');
const blocks = [...document.matchAll(/^```(\S+)(?: (\S+))?\n(.*?)^```$/gms)].map(
  ([, language = '', name, text = '']) => ({ language, name, text }),
);
const transcripts = blocks.filter(({ language }) => language === 'transcript').map(({ text }) => text.trim());

const folder = temporaryFolder('documented-plugin');
const plugin = join(folder.path, 'hello');

beforeAll(() => {
  for (const { name, text } of blocks) {
    if (name === undefined) continue;
    const path = join(plugin, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    if (text.startsWith('#!')) chmodSync(path, 0o755);
  }
});
afterAll(() => folder[Symbol.dispose]());

test('the plugin of the page can be packed', () => {
  const { release } = buildPlugin({ folder: plugin, platform: 'any', floor: '0.0.0', out: folder.path });
  expect(release).toContain('hello_1.0.0_any');
});

test('the page shows both ways to ask a program', () => expect(transcripts).toHaveLength(2));

test.each(transcripts)('the plugin of the page says %s', async (transcript) => {
  const program = spawn(join(plugin, 'bin/hello'), { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(program, 'close');
  const said = createInterface({ input: program.stdout })[Symbol.asyncIterator]();
  for (const line of transcript.split('\n')) {
    const [way, text] = [line.slice(0, 2), line.slice(2)];
    if (way === '> ') program.stdin.write(`${text}\n`);
    else expect((await said.next()).value).toBe(text);
  }
  program.stdin.end();
  expect(await said.next()).toMatchObject({ done: true });
  expect(await ended).toEqual([0, null]);
});

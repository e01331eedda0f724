import { once } from 'node:events';
import { expect, test } from 'vitest';
import { isAlive } from '../../../test/harness/is-alive.ts';
import { until } from '../../../test/harness/until.ts';
import { createStreams } from './create-streams.ts';

async function opened() {
  const terminal = await createStreams().terminal({ columns: 80, rows: 24, term: 'xterm' });
  let shown = '';
  terminal.output.on('data', (bytes: Buffer) => {
    shown += bytes.toString();
  });
  const shows = (words: RegExp): Promise<RegExpExecArray> =>
    until(`it shows ${words}`, () => words.exec(shown), { last: () => shown });
  return { terminal, shows };
}

test('what ignores that it was hung up ends with the terminal, in the background too', async () => {
  const { terminal, shows } = await opened();
  terminal.input.write("trap '' HUP TERM; sh -c 'echo job $$; sleep 62' & sh -c 'echo front $$; sleep 63'\n");
  const [, job] = await shows(/^job (\d+)/m);
  const [, front] = await shows(/^front (\d+)/m);
  await terminal.close();
  await terminal.ended;
  expect([job, front].filter((pid) => isAlive(Number(pid)))).toEqual([]);
});

test('a program that does not read keeps nobody waiting but who types', async () => {
  const { terminal, shows } = await opened();
  terminal.input.write('stty raw -echo; echo ready; head -c 3000000 | wc -c; echo done; sleep 60\n');
  await shows(/^ready/m);
  const text = Buffer.alloc(4_000_000, 'x');
  for (let at = 0; at < text.length; at += 50_000) {
    if (!terminal.input.write(text.subarray(at, at + 50_000)) && at < 3_000_000) {
      await once(terminal.input, 'drain');
    }
  }
  await shows(/3000000\s+done/);
  await new Promise((resolve) => setImmediate(resolve)); // this process goes on
  expect(terminal.input.writableLength).toBeGreaterThan(900_000);
  await terminal.close();
  await terminal.ended;
  await until('what was typed for nobody is let go', () => terminal.input.writableLength === 0);
});

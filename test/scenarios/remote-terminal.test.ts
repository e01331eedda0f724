import { spawn } from '@lydell/node-pty';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Terminal } from '@xterm/headless';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Cluster } from '../harness/cluster.ts';
import { musterEnvironment } from '../harness/muster-process.ts';
import { lacks, notTested } from '../harness/not-tested.ts';
import { cleanEnvironment, programEntry } from '../harness/program.ts';
import { sessionsOf } from '../harness/remote-device.ts';
import { projectRoot } from '../harness/source-files.ts';
import { until } from '../harness/until.ts';

let cluster: Cluster;
beforeAll(async () => {
  cluster = await Cluster.create('remote-terminal', { agents: ['edge-1'] });
});
afterAll(() => cluster[Symbol.asyncDispose]());

/** `muster connect` on a terminal whose screen can be read. */
function connected(args: string[] = []) {
  const screen = new Terminal({ cols: 80, rows: 24, allowProposedApi: true });
  const pty = spawn(
    process.execPath,
    [join(projectRoot, programEntry.muster), 'connect', ...args, 'edge-1'],
    {
      cols: 80,
      rows: 24,
      env: cleanEnvironment({ ...musterEnvironment(cluster), TERM: 'xterm-256color', PS1: '$ ' }),
    },
  );
  pty.onData((data) => screen.write(data));
  screen.onData((answer) => pty.write(answer)); // what a terminal answers when it is asked
  const ended = new Promise<number>((resolve) => pty.onExit(({ exitCode }) => resolve(exitCode)));
  const shown = (): string[] =>
    Array.from(
      { length: screen.rows },
      (_, row) =>
        screen.buffer.active.getLine(row + screen.buffer.active.baseY)?.translateToString(true) ?? '',
    );
  return {
    type: (text: string) => pty.write(text),
    ended,
    shown,
    resize: (columns: number, rows: number) => {
      screen.resize(columns, rows);
      pty.resize(columns, rows);
    },
    shows: (what: string, holds: (lines: string[]) => boolean) =>
      until(what, () => holds(shown()), { deadlineMs: 20_000, last: () => shown().join('\n') }),
    kill: () => pty.kill('SIGKILL'),
  };
}

test('a pager draws its screen, and draws it anew when the terminal changes its size', async () => {
  if (notTested('a program on the whole screen', lacks('less'))) return;
  const file = join(cluster.folder, 'lines');
  writeFileSync(file, Array.from({ length: 300 }, (_, index) => `line ${index + 1}`).join('\n'));
  const terminal = connected();
  try {
    await terminal.shows('the shell is there', (lines) => lines.some((line) => /[#$] ?$/.test(line)));
    terminal.type(`less ${file}\r`);
    await terminal.shows('the first page', (lines) => lines[0] === 'line 1' && lines[22] === 'line 23');
    terminal.type(' ');
    await terminal.shows('the second page', (lines) => lines[0] === 'line 24' && lines[22] === 'line 46');
    terminal.resize(100, 40);
    await terminal.shows('a larger page', (lines) => lines[38] === 'line 62' && lines[0] === 'line 24');
    terminal.type('G');
    await terminal.shows('the end', (lines) => lines[38] === 'line 300');
    terminal.type('q');
    terminal.type('stty size; exit 4\r');
    expect(await terminal.ended).toBe(4);
  } finally {
    terminal.kill();
  }
});

test('Ctrl-C and Ctrl-D go to the device, and a recorded shell can be replayed', async () => {
  const terminal = connected(['--record']);
  try {
    await terminal.shows('the shell is there', (lines) => lines.some((line) => /[#$] ?$/.test(line)));
    terminal.type('sleep 100\r');
    await terminal.shows('it was typed', (lines) => lines.some((line) => line.includes('sleep 100')));
    terminal.type('\x03');
    terminal.type('echo not $((20+1)) asleep\r');
    await terminal.shows('the shell goes on', (lines) => lines.includes('not 21 asleep'));
    terminal.type('\x04');
    expect(await terminal.ended).toBe(0);
  } finally {
    terminal.kill();
  }
  const [session] = await sessionsOf(cluster);
  const id = String(session?.['session']);
  await cluster.controller.ended(String(session?.['task']));
  const cast = await cluster.muster(['session', 'play', '--raw', id]);
  expect(cast.stderr).toBe('');
  expect(JSON.parse(cast.stdout.split('\n')[0] ?? '')).toMatchObject({ version: 2, width: 80, height: 24 });
  const replayed = await cluster.muster(['session', 'play', '--speed', '100', id]);
  expect(replayed.stdout).toContain('not 21 asleep');
});

test('a terminal that is closed ends the session and the shell', async () => {
  const terminal = connected();
  await terminal.shows('the shell is there', (lines) => lines.some((line) => /[#$] ?$/.test(line)));
  terminal.kill();
  const [session] = await sessionsOf(cluster);
  const task = await cluster.controller.ended(String(session?.['task']), 15_000);
  expect(task).toMatchObject({ status: 'FAILED', error_code: 'connection_lost' });
});

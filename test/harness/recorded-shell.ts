import { spawn } from '@lydell/node-pty';
import { join } from 'node:path';
import type { Cluster } from './cluster.ts';
import { musterEnvironment } from './muster-process.ts';
import { cleanEnvironment, programEntry } from './program.ts';
import { projectRoot } from './source-files.ts';
import { until } from './until.ts';

/** `muster connect --record` on a terminal, once its shell has shown a prompt. */
export async function runRecorded(cluster: Cluster, device: string) {
  let shown = '';
  const pty = spawn(
    process.execPath,
    [join(projectRoot, programEntry.muster), 'connect', '--record', device],
    {
      env: cleanEnvironment({ ...musterEnvironment(cluster), TERM: 'xterm' }),
    },
  );
  pty.onData((data) => {
    shown += data;
  });
  await until('the shell is there', () => /[#$] /.test(shown), { last: () => shown });
  const ended = new Promise<number>((resolve) => pty.onExit(({ exitCode }) => resolve(exitCode)));
  return {
    type: (text: string) => pty.write(text),
    resize: (columns: number, rows: number) => pty.resize(columns, rows),
    shown: () => shown,
    shows: (words: RegExp) =>
      until(`the shell shows ${words}`, () => words.exec(shown), { last: () => shown.slice(-2000) }),
    ended,
    kill: () => pty.kill('SIGKILL'),
  };
}

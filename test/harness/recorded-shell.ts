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
  return { type: (text: string) => pty.write(text), shown: () => shown, kill: () => pty.kill('SIGKILL') };
}

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, writeFileSync } from 'node:fs';
import { z } from 'zod';
import { parse } from '../../../shared/parse.ts';
import { cleanEnvironment } from '../../harness/program.ts';
import { LabStatus } from './lab-control.ts';
import type { LabFolder } from './lab-folder.ts';
import { LabKeeper, type LabOptions } from './keep-lab.ts';

/** What a keeper tells whoever started it, until the lab is up. */
const Told = z.union([
  z.object({ say: z.string() }),
  z.object({ failed: z.string() }),
  z.object({ up: LabStatus }),
]);
type Told = z.output<typeof Told>;

/** Starts a lab that stays when this process ends; settles when it can be used. Should this process be killed before, the lab ends. */
export async function up(
  lab: LabFolder,
  options: LabOptions,
  say: (text: string) => void,
): Promise<LabStatus> {
  lab.create();
  const log = openSync(lab.log, 'a');
  const [program = ''] = process.argv.slice(1);
  const keeper = spawn(process.execPath, [program, 'keep', lab.path, JSON.stringify(options)], {
    detached: true,
    env: cleanEnvironment({}),
    stdio: ['ignore', log, log, 'ipc'],
  });
  closeSync(log);
  if (keeper.pid !== undefined) writeFileSync(lab.pidFile('keeper'), `${keeper.pid}`);
  const outcome = Promise.withResolvers<LabStatus>();
  keeper.on('message', (message) => {
    const told = parse('what the keeper says', Told, message);
    if ('say' in told) say(told.say);
    else if ('failed' in told) outcome.reject(new Error(told.failed));
    else outcome.resolve(told.up);
  });
  keeper.once('error', outcome.reject);
  keeper.once('exit', (status) => outcome.reject(new Error(`its keeper ended with ${status}`)));
  const status = await outcome.promise;
  keeper.disconnect();
  keeper.unref();
  return status;
}

/** The process in the background. */
export async function keep(lab: LabFolder, options: LabOptions): Promise<void> {
  const tell = (told: Told): void => {
    if (process.connected) process.send?.(told);
  };
  const keeper = new LabKeeper(lab, options, (text) => tell({ say: text }));
  let isUp = false;
  process.on('disconnect', () => {
    if (!isUp) keeper.stop();
  });
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => keeper.stop());
  try {
    await keeper.run((status) => {
      isUp = true;
      tell({ up: status });
    });
  } catch (error) {
    tell({ failed: error instanceof Error ? error.message : String(error) });
    if (process.connected) await Promise.race([once(process, 'disconnect'), flushed()]);
  } finally {
    lab.remove();
  }
}

/** What was sent is on its way when the next turn of the loop comes. */
const flushed = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

import { existsSync } from 'node:fs';
import { open, readFile, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { TaskError } from '../../../shared/errors.ts';
import { runTool } from '../../system/tool.ts';
import type { GoBack } from '../machine.ts';
import { startWaiting } from './guard-program.ts';
import type { SnapshotEntry } from './snapshot.ts';
import { isFull, isMissing, makeFolder, replaceDurably, syncFolder } from './workspace-durable.ts';
import type { WorkspaceLayout } from './workspace-layout.ts';

/** Room beyond the files themselves, for folders and rounding. */
const slackBytes = 65_536;

/** Writes the commands of the way back where the guard finds them. */
export async function writeCommands(layout: WorkspaceLayout, commands: GoBack['commands']): Promise<void> {
  if (commands.length > 999) throw new TaskError('guard_failed', 'The guard runs at most 999 commands');
  await rm(layout.rollback, { recursive: true, force: true });
  await makeFolder(layout.rollback, 0o700);
  for (const [index, { argv, timeoutSeconds, okExitCodes = [0] }] of commands.entries()) {
    const odd = argv.find((argument) => /[\n\0]/.test(argument));
    if (odd !== undefined || argv.length === 0) {
      throw new TaskError(
        'guard_failed',
        `${JSON.stringify(argv)} cannot be given to the guard: expected arguments of one line`,
      );
    }
    const path = join(layout.rollback, String(index + 1).padStart(3, '0'));
    const lines = argv.map((argument) => `${argument.replaceAll('{snapshot}', layout.kept)}\n`);
    await replaceDurably(`${path}.argv`, lines.join(''));
    await replaceDurably(`${path}.ok`, `${okExitCodes.join(' ')}\n`);
    await replaceDurably(`${path}.timeout`, `${Math.ceil(timeoutSeconds)}\n`);
  }
}

/** Sets room aside where the files of the snapshot cannot be linked into place: on other file systems than the snapshot's. */
export async function setRoomAside(layout: WorkspaceLayout, entries: Iterable<SnapshotEntry>): Promise<void> {
  const { dev } = await stat(layout.snapshot);
  const rooms = new Map<number, { path: string; bytes: number }>();
  for (const entry of entries) {
    if (entry.kind !== 'file') continue;
    const folder = await stat(dirname(entry.path));
    if (folder.dev === dev) continue;
    const path = join(dirname(entry.path), `.muster-${layout.id}.reserve`);
    const room = rooms.get(folder.dev) ?? { path, bytes: slackBytes };
    room.bytes += entry.size + 4096;
    rooms.set(folder.dev, room);
  }
  if (rooms.size === 0) return;
  await replaceDurably(layout.reserves, [...rooms.values()].map(({ path }) => `${path}\n`).join(''));
  for (const { path, bytes } of rooms.values()) await fillFile(path, bytes);
}

/** A file of so many bytes that are really taken on the disk. */
export async function fillFile(path: string, bytes: number): Promise<void> {
  try {
    await using handle = await open(path, 'w', 0o600);
    const block = Buffer.alloc(Math.min(bytes, 1_048_576), 0x2e);
    for (let left = bytes; left > 0; left -= block.byteLength) {
      await handle.writeFile(left < block.byteLength ? block.subarray(0, left) : block);
    }
    await handle.sync();
  } catch (error) {
    await rm(path, { force: true });
    if (!isFull(error)) throw error;
    throw new TaskError('disk_full', `${path} found no room for ${bytes} bytes that the way back may need`, {
      cause: error,
    });
  }
  await syncFolder(dirname(path));
}

/** Gives back what `setRoomAside` took, when the guard will not do it: nothing was ever armed. */
export async function giveRoomBack(layout: WorkspaceLayout): Promise<void> {
  const text = await readFile(layout.reserves, 'utf8').catch((error: unknown) => {
    if (isMissing(error)) return '';
    throw error;
  });
  for (const path of text.split('\n').filter(Boolean)) await rm(path, { force: true });
}

/** Starts what will act at the deadline, and says what it is: a timer of systemd, or a process that belongs to nobody. */
export async function startGuard(layout: WorkspaceLayout, seconds: number): Promise<string> {
  if (!existsSync('/run/systemd/system')) {
    return `process ${await startWaiting(layout.guard, layout.path)}`;
  }
  const unit = `muster-guard-${layout.id}`;
  await replaceDurably(layout.timer, `${unit}.timer\n`);
  const end = await runTool('systemd-run', [
    '--quiet',
    '--collect',
    `--unit=${unit}`,
    `--description=Undoes the configuration transaction ${layout.id} unless it is confirmed`,
    `--on-active=${seconds}s`,
    '--timer-property=AccuracySec=1s',
    '--property=KillMode=process', // what a command of the way back started stays
    '--property=OOMScoreAdjust=-900',
    '/bin/sh',
    layout.guard,
    'expire',
    layout.path,
  ]);
  if (end?.exitCode === 0) return `systemd timer ${unit}.timer`;
  throw new TaskError(
    'guard_failed',
    `systemd does not take the guard's timer: ${end?.stderr ?? 'systemd-run is missing'}`,
  );
}

/** Takes back a guard whose transaction never was armed. The waiting process ends by itself: the journal will say that it is over. */
export async function stopGuard(layout: WorkspaceLayout): Promise<void> {
  if (existsSync(layout.timer))
    await runTool('systemctl', ['stop', '--no-block', `muster-guard-${layout.id}.timer`]);
}

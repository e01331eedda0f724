import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { createProcesses } from '../../agent/system/processes.ts';
import { createLinuxTransactionMachine } from '../../agent/transaction/linux/machine.ts';
import type { ConfirmedState, TransactionMachine, Workspace } from '../../agent/transaction/machine.ts';
import { temporaryFolder } from './temporary-folder.ts';

const gids = () => String(process.getgid?.() ?? 0);

/** A folder with a real transaction machine in it, and a folder of files that stand for /etc. */
export class TransactionUnderTest implements Disposable {
  readonly path: string;
  readonly machine: TransactionMachine;
  readonly #folder: { path: string } & Disposable;

  constructor(folder: { path: string } & Disposable = temporaryFolder('transaction')) {
    this.#folder = folder;
    this.path = folder.path;
    mkdirSync(this.etc(), { recursive: true });
    this.machine = createLinuxTransactionMachine({
      folder: this.transactions(),
      processes: createProcesses(),
    });
  }

  etc(...names: string[]): string {
    return join(this.path, 'etc', ...names);
  }

  transactions(...names: string[]): string {
    return join(this.path, 'transactions', ...names);
  }

  /** Writes a file of the machine, its folders too, and returns its path. */
  write(name: string, content: string, mode = 0o644): string {
    mkdirSync(dirname(this.etc(name)), { recursive: true });
    writeFileSync(this.etc(name), content);
    chmodSync(this.etc(name), mode);
    return this.etc(name);
  }

  chown(name: string, uid: number, gid: number): void {
    chownSync(this.etc(name), uid, gid);
  }

  /** Everything in the folder that stands for /etc: content, mode and owner by name. */
  look(): Record<string, string> {
    return Object.fromEntries([...looked(this.etc(), '')].sort());
  }

  [Symbol.dispose](): void {
    this.#folder[Symbol.dispose]();
  }
}

function* looked(folder: string, prefix: string): Generator<[string, string]> {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    const stats = lstatSync(path);
    const owner = `${(stats.mode & 0o7777).toString(8)} ${stats.uid}:${stats.gid}`;
    if (stats.isDirectory()) {
      yield [`${prefix}${name}/`, owner];
      yield* looked(path, `${prefix}${name}/`);
    } else {
      yield [`${prefix}${name}`, `${owner} ${readFileSync(path, 'latin1')}`];
    }
  }
}

export async function* bytes(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}

/** Stages a file that belongs to whoever runs the test. */
export const stage = (workspace: Workspace, path: string, content: string, mode = '0644') =>
  workspace.stage({ path, mode, owner: userInfo().username, group: gids() }, bytes(content));

export const confirmedState = (transaction: string): ConfirmedState => ({
  transaction,
  generation: 1,
  content: 'c'.repeat(64),
  files: [],
  units: {},
});

/** A transaction up to ARMED: `files` by path with their new content, `null` to be deleted. */
export async function armed(
  { machine }: TransactionUnderTest,
  options: {
    id?: string;
    files: Record<string, string | null>;
    deadlineSeconds?: number;
    commands?: { argv: string[]; timeoutSeconds: number }[];
  },
): Promise<Workspace> {
  const workspace = await machine.begin(options.id ?? 'first');
  for (const [path, content] of Object.entries(options.files)) {
    if (content === null) await workspace.stageAbsent(path);
    else await stage(workspace, path, content);
  }
  await workspace.snapshot(Object.keys(options.files));
  await workspace.append('SNAPSHOTTED', '');
  await workspace.arm({ deadlineSeconds: options.deadlineSeconds ?? 600, commands: options.commands ?? [] });
  return workspace;
}

/** Puts everything in its place, up to PROBING. */
export async function apply(workspace: Workspace, files: Record<string, string | null>): Promise<void> {
  await workspace.append('APPLYING', 'files');
  for (const [path, content] of Object.entries(files)) {
    if (content === null) await workspace.remove(path);
    else await workspace.install(path);
  }
  await workspace.append('APPLIED', '');
  await workspace.append('PROBING', '');
}

/** What the transaction of the driver program wants: one of every kind of change. */
export const crashFiles = (device: TransactionUnderTest): Record<string, string | null> => ({
  [device.etc('changed')]: 'new',
  [device.etc('sub/changed too')]: 'new',
  [device.etc('deleted')]: null,
  [device.etc('made.d/made')]: 'new',
});

/** The machine before the transaction of the driver program. */
export function writeCrashFiles(device: TransactionUnderTest): void {
  device.write('changed', 'old', 0o600);
  device.write('sub/changed too', 'old', 0o640);
  device.write('deleted', 'old');
  device.write('not ours', 'old');
}

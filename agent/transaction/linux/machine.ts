import { readdir, readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import { TaskError } from '../../../shared/errors.ts';
import { isOver } from '../../../shared/transaction.ts';
import type { ConfirmedState, TransactionMachine } from '../machine.ts';
import { findInPath } from '../../system/program.ts';
import type { Processes } from '../../system/system.ts';
import { createCommands } from './commands.ts';
import { fillFile } from './guard-arming.ts';
import { placeGuard, runGuard } from './guard-program.ts';
import { appendRecord, readJournal } from './journal.ts';
import { Uptime } from './machine-time.ts';
import { forgetOldTransactions } from './machine-retention.ts';
import { listManagedFiles, readManagedFile } from './managed-files.ts';
import { realPath } from './real-path.ts';
import { openScratch } from './scratch.ts';
import { LinuxWorkspace } from './workspace.ts';
import { isMissing, makeFolder, replaceDurably, syncFolder } from './workspace-durable.ts';
import { WorkspaceLayout } from './workspace-layout.ts';

export interface LinuxTransactionOptions {
  /** All transactions of this device, as `<data>/transactions`. */
  folder: string;
  processes: Processes;
}

const programPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
/** For the guard's records when the disk is full. */
const reserveBytes = 65_536;
const Confirmed = z.object({
  transaction: z.string(),
  generation: z.number(),
  content: z.string(),
  files: z.array(z.string()),
  units: z.record(z.string(), z.string()),
}) satisfies z.ZodType<ConfirmedState>;
const Quarantined = z.array(z.string());

/** The machine this process runs on. One process at a time works on the folder. */
export function createLinuxTransactionMachine(options: LinuxTransactionOptions): TransactionMachine {
  const { folder, processes } = options;
  const time = new Uptime();
  const transactions = new Transactions(folder, time);
  return {
    bootId: () => time.bootId(),
    uptimeMs: () => time.uptimeMs(),
    begin: (id) => transactions.begin(id),
    find: (id) => transactions.find(id),
    pending: () => transactions.pending(),
    async confirmed() {
      await transactions.finishConfirmation();
      return readJson(join(folder, 'confirmed.json'), Confirmed);
    },
    async quarantined() {
      return (await readJson(join(folder, 'quarantine.json'), Quarantined)) ?? [];
    },
    async setQuarantined(contents) {
      await makeFolder(folder, 0o700);
      await replaceDurably(join(folder, 'quarantine.json'), JSON.stringify(contents));
    },
    list: listManagedFiles,
    async hasProgram(name) {
      const [file, path] = name.startsWith('/') ? [basename(name), dirname(name)] : [name, programPath];
      return (await findInPath(file, path)) !== undefined;
    },
    read: readManagedFile,
    realPath,
    run: createCommands({ processes, folder }),
    openScratch,
  };
}

class Transactions {
  readonly #folder: string;
  readonly #time: Uptime;
  /** One `begin` after the other. */
  #beginning: Promise<unknown> = Promise.resolve();

  constructor(folder: string, time: Uptime) {
    this.#folder = folder;
    this.#time = time;
  }

  begin(id: string): Promise<LinuxWorkspace> {
    const begun = this.#beginning.then(() => this.#begin(id));
    this.#beginning = begun.catch(() => {});
    return begun;
  }

  async find(id: string): Promise<LinuxWorkspace | undefined> {
    const workspace = this.#workspace(id);
    return (await workspace.journal()).length > 0 ? workspace : undefined;
  }

  async pending(): Promise<LinuxWorkspace | undefined> {
    for (const id of await this.#ids()) {
      const workspace = this.#workspace(id);
      const last = (await workspace.journal()).at(-1);
      if (last && !isOver(last.state)) return workspace;
    }
    return undefined;
  }

  /** A kill between CONFIRMED and what follows from it leaves the new state in the transaction's folder. */
  async finishConfirmation(): Promise<void> {
    for (const id of await this.#ids()) {
      const { layout } = this.#workspace(id);
      const isLeft = (await readJson(layout.confirmed, Confirmed)) !== undefined;
      if (!isLeft || (await readJournal(layout.journal)).at(-1)?.state !== 'CONFIRMED') continue;
      const end = await runGuard(layout.guard, ['confirm', layout.path]);
      if (end.exitCode !== 0)
        throw new TaskError('guard_failed', `${layout.confirmed} cannot be moved: ${end.complaint}`);
    }
  }

  async #begin(id: string): Promise<LinuxWorkspace> {
    const pending = await this.pending();
    if (pending)
      throw new TaskError('busy', `Transaction ${pending.id} is not over; ${id} has to wait for its end`);
    const workspace = this.#workspace(id);
    if ((await workspace.journal()).length > 0) {
      throw new TaskError('busy', `Transaction ${id} was made before and is over; expected a new one`);
    }
    await forgetOldTransactions(this.#folder);
    const { layout } = workspace;
    await makeFolder(layout.path, 0o700);
    await placeGuard(join(this.#folder, 'guard.sh')); // what the machine runs at boot
    await fillFile(layout.reserve, reserveBytes);
    await appendRecord(layout.journal, { state: 'RECEIVED', ...(await this.#time.now()), detail: '' });
    await syncFolder(layout.path);
    return workspace;
  }

  #workspace(id: string): LinuxWorkspace {
    if (!/^[A-Za-z0-9_-]{1,64}$/.test(id)) throw new Error(`${JSON.stringify(id)} is no id of a transaction`);
    return new LinuxWorkspace(new WorkspaceLayout(this.#folder, id), this.#time);
  }

  async #ids(): Promise<string[]> {
    try {
      const entries = await readdir(this.#folder, { withFileTypes: true });
      return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
    } catch (error) {
      if (isMissing(error)) return [];
      throw error;
    }
  }
}

async function readJson<Schema extends z.ZodType>(
  path: string,
  schema: Schema,
): Promise<z.output<Schema> | undefined> {
  try {
    return schema.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

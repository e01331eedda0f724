import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { TaskError } from '../../../shared/errors.ts';
import { isUntouched, type JournalState } from '../../../shared/transaction.ts';
import type { ConfirmedState, GoBack, JournalRecord, WantedFile, Workspace } from '../machine.ts';
import { giveRoomBack, setRoomAside, startGuard, stopGuard, writeCommands } from './guard-arming.ts';
import { placeGuard, runGuard } from './guard-program.ts';
import { appendRecord, oneLine, readJournal } from './journal.ts';
import type { Uptime } from './machine-time.ts';
import { readSnapshot, type SnapshotEntry, takeSnapshot } from './snapshot.ts';
import { isMissing, makeFolder, replaceDurably } from './workspace-durable.ts';
import { installFile } from './workspace-install.ts';
import type { WorkspaceLayout } from './workspace-layout.ts';
import { Puts } from './workspace-puts.ts';
import { stageAbsence, type StagedFile, stagedFiles, stageFile } from './workspace-staged.ts';

/**
 * Invariants: nothing of the machine changes before ARMED is on the disk, and only paths of the snapshot change after it;
 * from ARMED on, the guard appends every record and renames every file, under its lock, so that an agent that was
 * stopped for a while cannot go on after the guard has acted.
 */
export class LinuxWorkspace implements Workspace {
  readonly id: string;
  readonly layout: WorkspaceLayout;
  readonly #time: Uptime;
  readonly #puts = new Puts((pairs) => this.#guarded(['put', ...pairs], pairs.at(-1) ?? ''));
  #staged: Map<string, StagedFile> | undefined;
  #snapshot: Map<string, SnapshotEntry> | undefined;

  constructor(layout: WorkspaceLayout, time: Uptime) {
    this.id = layout.id;
    this.layout = layout;
    this.#time = time;
  }

  async append(state: JournalState, detail: string): Promise<void> {
    if (isUntouched(state) || state === 'REJECTED') {
      const last = await this.#lastState();
      if (last !== undefined && !isUntouched(last)) throw this.#tooLate(state, last);
      await appendRecord(this.layout.journal, {
        state,
        ...(await this.#time.now()),
        detail: oneLine(detail),
      });
      if (state === 'REJECTED') await giveRoomBack(this.layout);
      return;
    }
    if (state !== 'APPLYING' && state !== 'APPLIED' && state !== 'PROBING') {
      throw new Error(`${state} is not appended: arm, confirm and rollBack write it`);
    }
    await this.#guarded(['record', state, oneLine(detail)], `${state} ${detail}`);
  }

  journal(): Promise<JournalRecord[]> {
    return readJournal(this.layout.journal);
  }

  writeNote(note: Record<string, unknown>): Promise<void> {
    return replaceDurably(this.layout.note, JSON.stringify(note));
  }

  async note(): Promise<Record<string, unknown> | undefined> {
    try {
      return JSON.parse(await readFile(this.layout.note, 'utf8')) as Record<string, unknown>; // written by `writeNote` only
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  async stage(
    file: Omit<WantedFile, 'sha256'>,
    content: AsyncIterable<Uint8Array>,
  ): Promise<{ sha256: string; size: number }> {
    this.#staged = undefined;
    return stageFile(this.layout, file, content);
  }

  async stageAbsent(path: string): Promise<void> {
    this.#staged = undefined;
    await stageAbsence(this.layout, path);
  }

  async snapshot(paths: string[]): Promise<void> {
    const last = await this.#lastState();
    if (last !== undefined && !isUntouched(last)) throw this.#tooLate('a snapshot', last);
    this.#snapshot = undefined;
    await takeSnapshot(this.layout, paths);
  }

  async keep(name: string, text: string): Promise<string> {
    if (!/^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$/.test(name)) {
      throw new Error(`${JSON.stringify(name)} is no plain file name`);
    }
    await makeFolder(this.layout.kept, 0o700);
    const path = join(this.layout.kept, name);
    await replaceDurably(path, text);
    return path;
  }

  async arm(back: GoBack): Promise<{ guard: string; deadlineUptimeMs: number }> {
    await placeGuard(this.layout.guard);
    await writeCommands(this.layout, back.commands);
    await setRoomAside(this.layout, (await this.#snapshotEntries()).values());
    const { uptimeMs, bootId } = await this.#time.now();
    const deadlineUptimeMs = uptimeMs + Math.round(back.deadlineSeconds * 1000);
    await replaceDurably(this.layout.deadline, `${deadlineUptimeMs} ${bootId}\n`);
    const guard = await startGuard(this.layout, back.deadlineSeconds);
    try {
      await this.#guarded(['arm', guard], 'ARMED');
    } catch (error) {
      await stopGuard(this.layout);
      throw error;
    }
    return { guard, deadlineUptimeMs };
  }

  async install(path: string): Promise<void> {
    const entry = (await this.#snapshotEntries()).get(path);
    const staged = (await this.#stagedFiles()).get(path);
    if (!entry || entry.kind === 'folder') throw new Error(`${path} is not in the snapshot`);
    if (staged?.kind !== 'file') throw new Error(`${path} is not staged`);
    await installFile(this.id, { entry, staged }, this.#puts);
  }

  async remove(path: string): Promise<void> {
    if (!(await this.#snapshotEntries()).has(path)) throw new Error(`${path} is not in the snapshot`);
    await this.#guarded(['delete', path], path);
  }

  async confirm(state: ConfirmedState): Promise<'confirmed' | 'rolled_back'> {
    await replaceDurably(this.layout.confirmed, JSON.stringify(state));
    const { complaint } = await runGuard(this.layout.guard, ['confirm', this.layout.path]);
    const last = await this.#lastState();
    if (last === 'CONFIRMED') return 'confirmed';
    if (last === 'ROLLED_BACK' || last === 'ROLLBACK_FAILED' || last === 'ROLLING_BACK') return 'rolled_back';
    throw new TaskError('guard_failed', `Transaction ${this.id} cannot be confirmed: ${complaint}`);
  }

  async rollBack(reason: string): Promise<'rolled_back' | 'rollback_failed' | 'confirmed'> {
    await placeGuard(this.layout.guard);
    await runGuard(this.layout.guard, ['roll-back', this.layout.path, oneLine(reason)]);
    const last = await this.#lastState();
    if (last === 'CONFIRMED') return 'confirmed';
    return last === 'ROLLED_BACK' ? 'rolled_back' : 'rollback_failed';
  }

  /** What the guard does only while the transaction may go on. */
  async #guarded([command = '', ...args]: string[], what: string): Promise<void> {
    const end = await runGuard(this.layout.guard, [command, this.layout.path, ...args]);
    if (end.exitCode === 0) return;
    if (end.exitCode === 3) throw this.#tooLate(what, await this.#lastState());
    const full = /No space left|quota exceeded/i.test(end.complaint);
    throw new TaskError(
      full ? 'disk_full' : 'guard_failed',
      `${what}: ${end.complaint || `exit code ${end.exitCode}`}`,
    );
  }

  #tooLate(what: string, last: JournalState | undefined): TaskError {
    return new TaskError(
      'rolled_back',
      `${what} comes too late for transaction ${this.id}: its journal says ${last ?? 'nothing'}, or its deadline has passed`,
    );
  }

  async #lastState(): Promise<JournalState | undefined> {
    return (await this.journal()).at(-1)?.state;
  }

  async #stagedFiles(): Promise<Map<string, StagedFile>> {
    this.#staged ??= new Map((await stagedFiles(this.layout)).map((file) => [file.path, file]));
    return this.#staged;
  }

  async #snapshotEntries(): Promise<Map<string, SnapshotEntry>> {
    this.#snapshot ??= await readSnapshot(this.layout);
    return this.#snapshot;
  }
}

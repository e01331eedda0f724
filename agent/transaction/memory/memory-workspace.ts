import { createHash } from 'node:crypto';
import { isUntouched, type JournalState } from '../../../shared/transaction.ts';
import type { ConfirmedState, GoBack, JournalRecord, WantedFile, Workspace } from '../machine.ts';
import { collect } from '../live-files.ts';
import type { MemoryDisk, StoredTransaction } from './memory-disk.ts';
import { type MemoryGuard, stateOf, tooLate } from './memory-guard.ts';

/** What a workspace needs of the machine it is on. */
export interface WorkspaceMachine {
  readonly disk: MemoryDisk;
  readonly guard: MemoryGuard;
  readonly currentBootId: string;
  uptimeMs(): number;
}

/** A transaction's folder on a disk in memory. Every change is on the disk when its method settles. */
export class MemoryWorkspace implements Workspace {
  readonly id: string;
  readonly #machine: WorkspaceMachine;

  constructor(id: string, machine: WorkspaceMachine) {
    this.id = id;
    this.#machine = machine;
  }

  /** As it is stored now. */
  get stored(): StoredTransaction {
    const stored = this.#machine.disk.transactions.get(this.id);
    if (!stored) throw new Error(`there is no transaction ${this.id}`);
    return stored;
  }

  async append(state: JournalState, detail: string): Promise<void> {
    const { guard } = this.#machine;
    if (!isUntouched(state) && state !== 'REJECTED') return guard.record(this.stored, state, detail);
    if (!isUntouched(stateOf(this.stored))) throw tooLate(state, this.stored);
    guard.append(this.stored, state, detail);
  }

  async journal(): Promise<JournalRecord[]> {
    return structuredClone(this.stored.journal);
  }

  async writeNote(note: Record<string, unknown>): Promise<void> {
    this.stored.note = structuredClone(note);
  }

  async note(): Promise<Record<string, unknown> | undefined> {
    return structuredClone(this.stored.note);
  }

  async stage(
    file: Omit<WantedFile, 'sha256'>,
    content: AsyncIterable<Uint8Array>,
  ): Promise<{ sha256: string; size: number }> {
    const bytes = await collect(content);
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    this.stored.staged.set(file.path, {
      file: { ...file, sha256 },
      text: Buffer.from(bytes).toString('utf8'),
    });
    return { sha256, size: bytes.byteLength };
  }

  async stageAbsent(path: string): Promise<void> {
    this.stored.staged.set(path, 'absent');
  }

  async snapshot(paths: string[]): Promise<void> {
    if (!isUntouched(stateOf(this.stored))) throw tooLate('a snapshot', this.stored);
    const { files } = this.#machine.disk;
    this.stored.snapshot = new Map(paths.map((path) => [path, files.get(path) ?? 'absent']));
  }

  async keep(name: string, text: string): Promise<string> {
    this.stored.kept.set(name, text);
    return `/transactions/${this.id}/kept/${name}`;
  }

  async arm({ deadlineSeconds, commands }: GoBack): Promise<{ guard: string; deadlineUptimeMs: number }> {
    const { guard, currentBootId } = this.#machine;
    const deadlineUptimeMs = this.#machine.uptimeMs() + deadlineSeconds * 1000;
    this.stored.commands = structuredClone(commands);
    this.stored.deadline = { uptimeMs: deadlineUptimeMs, bootId: currentBootId };
    await guard.arm(this.stored, 'a guard in memory');
    return { guard: 'a guard in memory', deadlineUptimeMs };
  }

  async install(path: string): Promise<void> {
    const { staged, snapshot } = this.stored;
    const wanted = staged.get(path);
    if (!snapshot.has(path)) throw new Error(`${path} is not in the snapshot`);
    if (!wanted || wanted === 'absent') throw new Error(`${path} is not staged`);
    const { mode, owner, group } = wanted.file;
    await this.#machine.guard.put(this.stored, path, { text: wanted.text, mode, owner, group });
  }

  async remove(path: string): Promise<void> {
    if (!this.stored.snapshot.has(path)) throw new Error(`${path} is not in the snapshot`);
    await this.#machine.guard.put(this.stored, path, undefined);
  }

  async confirm(state: ConfirmedState): Promise<'confirmed' | 'rolled_back'> {
    return this.#machine.guard.confirm(this.stored, structuredClone(state));
  }

  async rollBack(reason: string): Promise<'rolled_back' | 'rollback_failed' | 'confirmed'> {
    return this.#machine.guard.rollBack(this.stored, reason);
  }
}

import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { TaskError } from '../../shared/errors.ts';
import { TaskCode } from '../../shared/ids.ts';
import { replaceFile } from '../../shared/node/replace-file.ts';
import type { TaskOrder } from '../../shared/protocol/task.ts';
import { HelperOutcome } from './messages.ts';

/** What is kept of one order. */
const Entry = z.object({
  code: TaskCode,
  attempt: z.int(),
  sequence: z.int(),
  /** It was picked up and found that it may begin anew, once. */
  rerun: z.literal(true).optional(),
  note: z.record(z.string(), z.unknown()).optional(),
  end: HelperOutcome.optional(),
});
type Entry = z.output<typeof Entry>;

/** Ended orders that are remembered; the ones with the lowest sequence are forgotten first. */
const defaultMaxEnded = 512;

/**
 * The orders that the root helper has seen, one file each, so that none runs twice whatever the agent says.
 *
 * - An order is written down before its task begins; a file is the old text or the new one, also after a power cut.
 * - An order below every remembered one is refused: it may have been forgotten.
 */
export class OrderLedger {
  readonly #folder: string;
  readonly #maxEnded: number;

  constructor(folder: string, maxEnded = defaultMaxEnded) {
    this.#folder = folder;
    this.#maxEnded = maxEnded;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  }

  /** How a task ended before, if it did: whoever asks again is told the same. */
  end(order: TaskOrder): HelperOutcome | undefined {
    const entry = this.#read(order.code);
    return entry?.attempt === order.attempt ? entry.end : undefined;
  }

  has(order: TaskOrder): boolean {
    return this.#read(order.code)?.attempt === order.attempt;
  }

  allowRerun(code: string): void {
    const entry = this.#read(code);
    if (entry) this.#write({ ...entry, rerun: true });
  }

  /** Whether the task may begin anew; true once per `allowRerun`. */
  takeRerun(code: string): boolean {
    const entry = this.#read(code);
    if (!entry?.rerun) return false;
    const { rerun: _rerun, ...rest } = entry;
    this.#write(rest);
    return true;
  }

  /** Writes a new order down. Throws `TaskError('replayed')` for one that may have run before. */
  begin({ code, attempt, sequence }: TaskOrder): void {
    const floor = this.#forgottenUpTo();
    if (sequence <= floor) {
      throw new TaskError(
        'replayed',
        `The order has sequence ${sequence}; the root helper no longer remembers orders up to ${floor}`,
      );
    }
    const before = this.#read(code);
    if (before && before.attempt >= attempt) {
      throw new TaskError('replayed', `Attempt ${attempt} of task ${code} ran already`);
    }
    this.#write({ code, attempt, sequence });
  }

  note(code: string): Record<string, unknown> | undefined {
    return this.#read(code)?.note;
  }

  saveNote(code: string, note: Record<string, unknown>): void {
    const entry = this.#read(code);
    if (entry) this.#write({ ...entry, note });
  }

  saveEnd(code: string, end: HelperOutcome): void {
    const entry = this.#read(code);
    if (!entry) return;
    const { note: _note, rerun: _rerun, ...rest } = entry;
    this.#write({ ...rest, end });
    this.#forgetOldest();
  }

  #read(code: string): Entry | undefined {
    const path = join(this.#folder, `${code}.json`);
    return existsSync(path) ? Entry.parse(JSON.parse(readFileSync(path, 'utf8'))) : undefined;
  }

  #write(entry: Entry): void {
    replaceFile(join(this.#folder, `${entry.code}.json`), `${JSON.stringify(entry)}\n`);
  }

  get #floorFile(): string {
    return join(this.#folder, 'forgotten-up-to');
  }

  #forgottenUpTo(): number {
    return existsSync(this.#floorFile) ? Number(readFileSync(this.#floorFile, 'utf8')) : 0;
  }

  /** The floor rises before anything goes below it. */
  #forgetOldest(): void {
    const names = readdirSync(this.#folder).filter((name) => name.endsWith('.json'));
    if (names.length <= this.#maxEnded) return;
    const ended = names
      .flatMap((name) => this.#read(name.slice(0, -'.json'.length)) ?? [])
      .filter(({ end }) => end !== undefined)
      .sort((left, right) => left.sequence - right.sequence);
    const surplus = ended.slice(0, Math.max(0, names.length - this.#maxEnded));
    const highest = surplus.at(-1)?.sequence;
    if (highest === undefined) return;
    replaceFile(this.#floorFile, String(Math.max(highest, this.#forgottenUpTo())));
    for (const { code } of surplus) rmSync(join(this.#folder, `${code}.json`), { force: true });
  }
}

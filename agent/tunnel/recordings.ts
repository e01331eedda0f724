import { createHash } from 'node:crypto';
import { createReadStream, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Clock } from '../../shared/clock.ts';
import { TaskError } from '../../shared/errors.ts';
import { maxRecordings } from '../../shared/task-types/connect.ts';
import { Recording, type RecordingFile } from './recording.ts';

/** The shells of one session, recorded into files of a folder: `CODE-NUMBER.cast`. */
export class Recordings {
  readonly #place: { folder: string; code: string };
  readonly #clock: Clock;
  readonly #title: string;
  readonly #begun: Recording[] = [];

  constructor(place: { folder: string; code: string }, clock: Clock, title: string) {
    this.#place = place;
    this.#clock = clock;
    this.#title = title;
    mkdirSync(place.folder, { recursive: true, mode: 0o700 });
  }

  /** Throws `TaskError('policy')` when the session has recorded as many as it may: unrecorded is not allowed then. */
  begin(size: { columns: number; rows: number }): Recording {
    if (this.#begun.length >= maxRecordings) {
      throw new TaskError(
        'policy',
        `This session has recorded ${maxRecordings} shells already: open another`,
      );
    }
    const { folder, code } = this.#place;
    const path = join(folder, `${code}-${this.#begun.length}.cast`);
    const recording = new Recording(path, this.#clock, { ...size, title: this.#title });
    this.#begun.push(recording);
    return recording;
  }

  /** After the session: what was recorded, complete and on disk. */
  async finish(): Promise<RecordingFile[]> {
    const finished = await Promise.all(this.#begun.map((one) => one.finish()));
    return finished.filter((one) => one !== undefined);
  }
}

/** What a process that died left of a session's recordings: they end where it died. */
export async function leftRecordings({
  folder,
  code,
}: {
  folder: string;
  code: string;
}): Promise<RecordingFile[]> {
  const left: RecordingFile[] = [];
  for (const name of namesIn(folder)) {
    if (!name.startsWith(`${code}-`) || !name.endsWith('.cast')) continue;
    const file = join(folder, name);
    const hash = createHash('sha256');
    await pipeline(createReadStream(file), hash);
    left.push({ file, size: statSync(file).size, sha256: hash.digest('hex') });
  }
  return left;
}

/** Recordings that could not be brought away, together: the oldest go when there are more bytes. */
export const maxUnsentBytes = 256 * 1024 * 1024;

/** Brings files away, one by one, and removes them; returns the digests of those that arrived. The others stay on the device, in `unsent`. */
export async function bringAway(
  files: RecordingFile[],
  upload: (file: RecordingFile) => Promise<void>,
  onLost: (reason: string) => void,
): Promise<string[]> {
  const kept: string[] = [];
  for (const one of files) {
    try {
      await upload(one);
      kept.push(one.sha256);
      rmSync(one.file, { force: true });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      onLost(`${reason}; it stays on the device as ${setAside(one.file)}`);
    }
  }
  return kept;
}

/** Whoever cuts the line at the right moment does not make a recording disappear. */
function setAside(file: string): string {
  const folder = join(file, '..', 'unsent');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, basename(file));
  renameSync(file, path);
  const newestFirst = namesIn(folder)
    .map((name) => ({ path: join(folder, name), ...pick(statSync(join(folder, name))) }))
    .sort((left, right) => right.at - left.at);
  let bytes = 0;
  for (const one of newestFirst) {
    bytes += one.size;
    if (bytes > maxUnsentBytes && one.path !== path) rmSync(one.path, { force: true });
  }
  return path;
}

const pick = ({ size, mtimeMs }: { size: number; mtimeMs: number }) => ({ size, at: mtimeMs });

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return []; // nothing was ever recorded
  }
}

import { createHash } from 'node:crypto';
import { open, readFile } from 'node:fs/promises';
import { isMissing } from './workspace-durable.ts';
import { type JournalState, journalStates } from '../../../shared/transaction.ts';
import type { JournalRecord } from '../machine.ts';

/**
 * One line: state, time, boot id, uptime, detail, and the first 8 digits of the SHA-256 of all that before the last tab.
 * guard.sh writes and reads the same.
 */
export function formatRecord(record: JournalRecord): string {
  const detail = oneLine(record.detail) || '-';
  const body = [record.state, record.at, record.bootId, record.uptimeMs, detail].join('\t');
  return `${body}\t${digestOf(body)}`;
}

/** The whole records of a journal, oldest first. A line that a power cut tore is as if it had not been written. */
export function parseJournal(content: Buffer): JournalRecord[] {
  const lines = content.toString('latin1').split('\n').slice(0, -1); // bytes as they are: the digest is over them
  return lines.flatMap((line) => parseRecord(Buffer.from(line, 'latin1')) ?? []);
}

/** What is in the journal; empty when there is none. */
export async function readJournal(path: string): Promise<JournalRecord[]> {
  try {
    return parseJournal(await readFile(path));
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

/** Appends a record and settles when it is on the disk. Not under the guard's lock: only for records before ARMED. */
export async function appendRecord(path: string, record: JournalRecord): Promise<void> {
  await using handle = await open(path, 'a+', 0o600);
  const { size } = await handle.stat();
  const last = Buffer.alloc(1);
  if (size > 0) await handle.read(last, 0, 1, size - 1);
  const before = size > 0 && last.toString('latin1') !== '\n' ? '\n' : ''; // ends a torn line
  await handle.appendFile(`${before}${formatRecord(record)}\n`);
  await handle.sync();
}

/** Text for a journal: no control characters, at most 500 bytes. */
export const oneLine = (text: string): string =>
  Buffer.from(text.replace(/[\u0000-\u001f\u007f]+/g, ' '))
    .subarray(0, 500)
    .toString('utf8');

const digestOf = (body: string | Buffer): string =>
  createHash('sha256').update(body).digest('hex').slice(0, 8);

function parseRecord(line: Buffer): JournalRecord | undefined {
  const end = line.lastIndexOf('\t');
  if (end < 0 || digestOf(line.subarray(0, end)) !== line.subarray(end + 1).toString('latin1'))
    return undefined;
  const [state = '', at, bootId = '', uptimeMs, detail = ''] = line
    .subarray(0, end)
    .toString('utf8')
    .split('\t');
  if (!isJournalState(state)) return undefined;
  return { state, at: Number(at), bootId, uptimeMs: Number(uptimeMs), detail: detail === '-' ? '' : detail };
}

const isJournalState = (text: string): text is JournalState =>
  (journalStates as readonly string[]).includes(text);

import type { Unit } from '../../shared/device-profile.ts';
import { unitStateText } from '../../shared/manifest.ts';
import type { FileState, TransactionMachine } from './machine.ts';
import type { TransactionKeys } from './transaction-parts.ts';

/** Longer files are no text for checks and conditions. */
const maxTextBytes = 1_048_576;

/** Existing files of a unit. Throws when one of its paths is no file. */
export const liveFiles = (unit: Unit, machine: Pick<TransactionMachine, 'list'>): Promise<FileState[]> =>
  machine.list(
    unit.paths.map(({ glob }) => glob),
    { maxFiles: unit.max_files, maxBytes: Math.max(...unit.paths.map(({ max_bytes }) => max_bytes)) },
  );

/** Keyed digest of what these files are. */
export const stateOf = (files: FileState[], keys: Pick<TransactionKeys, 'stateDigest'>): string =>
  keys.stateDigest(unitStateText(files));

/** States of units as they are now. */
export async function statesNow(
  units: readonly Unit[],
  { machine, keys }: { machine: TransactionMachine; keys: Pick<TransactionKeys, 'stateDigest'> },
): Promise<Record<string, string>> {
  const states: Record<string, string> = {};
  for (const unit of units) states[unit.name] = stateOf(await liveFiles(unit, machine), keys);
  return states;
}

/** Texts of files by path; what is no text, or too long, is empty. */
export async function liveTexts(
  files: FileState[],
  machine: Pick<TransactionMachine, 'read'>,
): Promise<Map<string, string>> {
  const texts = new Map<string, string>();
  for (const { path, size } of files) {
    texts.set(path, size > maxTextBytes ? '' : textOf(await collect(machine.read(path))));
  }
  return texts;
}

export async function collect(source: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Empty when it is no UTF-8, or too long. */
export function textOf(bytes: Uint8Array): string {
  if (bytes.byteLength > maxTextBytes) return '';
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return '';
  }
}

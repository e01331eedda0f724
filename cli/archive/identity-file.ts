import type { Readable } from 'node:stream';
import { recipientOf } from '../../shared/node/age.ts';
import { CliError, usageError } from '../cli-error.ts';
import { textFile } from '../text-file.ts';

const maxBytes = 64 * 1024;

/** The age identity of the file (`-`: standard input) that one of the recipients belongs to. Nothing of it is ever shown. */
export async function readIdentity(
  file: string,
  { stdin, recipients }: { stdin: Readable; recipients: readonly string[] },
): Promise<string> {
  const name = file === '-' ? 'standard input' : file;
  const text = file === '-' ? await allOf(stdin) : await textFile(file, maxBytes);
  const identities = text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
  if (identities.length === 0) throw usageError(`${name} holds no age identity (AGE-SECRET-KEY-1…)`);
  const own: string[] = [];
  for (const identity of identities) {
    const recipient = await recipientOrRefuse(identity, name);
    if (recipients.includes(recipient)) return identity;
    own.push(recipient);
  }
  throw new CliError(
    'failed',
    `${name} cannot open the archive: it is for ${recipients.join(', ')}, this is the key of ${own.join(', ')}`,
    { code: 'wrong_key' },
  );
}

async function recipientOrRefuse(identity: string, name: string): Promise<string> {
  if (/^AGE-SECRET-KEY-1[0-9A-Z]+$/.test(identity)) {
    try {
      return await recipientOf(identity);
    } catch {
      // The error of the library could quote the key.
      throw usageError(`a line of ${name} looks like an age identity and is not a valid one`);
    }
  }
  throw usageError(
    `${name} is not a file of age identities (lines AGE-SECRET-KEY-1…)`,
    'A key that is itself encrypted: age -d KEY.age | muster … --identity-file -',
  );
}

async function allOf(stdin: Readable): Promise<string> {
  let text = '';
  for await (const part of stdin.setEncoding('utf8')) {
    text += String(part);
    if (text.length > maxBytes) throw usageError(`standard input has more than ${maxBytes / 1024} KiB`);
  }
  return text;
}

import type { Archive } from '../../shared/api/backups.ts';
import { CliError } from '../cli-error.ts';
import type { Client } from '../client/client.ts';
import { unreachable } from '../client/failure.ts';
import type { Terminal } from '../terminal.ts';
import { patiently } from '../watch/patience.ts';

const maxBreaks = 10;
const pauseMs = 500;

export interface ArchiveBytesParts {
  client: Pick<Client, 'backups' | 'http'>;
  terminal: Pick<Terminal, 'clock' | 'signal'>;
  archive: Pick<Archive, 'id' | 'size'>;
  /** Told how many bytes are there. */
  progress(bytes: number): void;
  /** Told that it does not work at the moment, and that it works again (undefined). */
  trouble(message: string | undefined): void;
}

/**
 * Bytes of a stored archive from `offset` on, in order, each once: after every break it goes on where the break was. Exactly as many
 * as the archive has, or an error; gives up after several breaks without a byte between them.
 */
export async function* archiveBytes(parts: ArchiveBytesParts, offset = 0): AsyncGenerator<Uint8Array> {
  const { archive, terminal, client } = parts;
  let at = offset;
  let breaks = 0;
  while (at < archive.size) {
    const before = at;
    const response = await opened(parts, at);
    const chunks = bodyFrom(response, at)[Symbol.asyncIterator]();
    for (;;) {
      const chunk = await nextOf(chunks, terminal.signal);
      if (chunk === undefined) break;
      at += chunk.length;
      if (at > archive.size) throw tooLong(archive);
      parts.progress(at);
      yield chunk;
    }
    if (at === archive.size) return;
    breaks = at > before ? 0 : breaks + 1;
    const broken = unreachable(client.http.url, new Error(`the connection broke after ${at} bytes`));
    if (breaks >= maxBreaks) throw broken;
    parts.trouble(broken.message);
    await terminal.clock.sleep(pauseMs, terminal.signal);
  }
}

const opened = ({ client, archive, terminal, trouble }: ArchiveBytesParts, at: number): Promise<Response> =>
  patiently(() => client.backups.content(archive.id, at, terminal.signal), { ...terminal, trouble });

/** The body from `at` on, also when the whole was sent. */
async function* bodyFrom(response: Response, at: number): AsyncGenerator<Uint8Array> {
  let skip = response.status === 206 ? 0 : at;
  for await (const chunk of response.body ?? []) {
    const bytes = chunk as Uint8Array;
    if (bytes.length > skip) yield skip > 0 ? bytes.subarray(skip) : bytes;
    skip = Math.max(0, skip - bytes.length);
  }
}

/** Undefined at the end, and when the connection broke: the caller sees by the count which it was. */
async function nextOf(
  chunks: AsyncIterator<Uint8Array>,
  signal: AbortSignal,
): Promise<Uint8Array | undefined> {
  try {
    const { done, value } = await chunks.next();
    return done ? undefined : value;
  } catch {
    signal.throwIfAborted();
    return undefined;
  }
}

const tooLong = ({ id, size }: Pick<Archive, 'id' | 'size'>): CliError =>
  new CliError('failed', `archive ${id} has ${size} bytes, and the controller sends more`, {
    code: 'damaged',
  });

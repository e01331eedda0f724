import { createHash, type Hash } from 'node:crypto';
import { createReadStream, rmSync, statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { minisignHash, verifyMinisign } from '../../shared/node/minisign.ts';
import { refusing, type SignedRelease } from './trusted-release.ts';

export interface ArchiveRequest {
  /** Of the task that may fetch it. */
  code: string;
  sha256: string;
  bytes: number;
}

interface Fetching {
  release: Pick<SignedRelease, 'signed' | 'keys'>;
  /** Where the bytes come from: those behind `held`, over which `digest` goes on. */
  download(
    request: { code: string; sha256: string; maxBytes: number; held: { bytes: number; digest: Hash } },
    signal: AbortSignal,
  ): AsyncIterable<Uint8Array>;
  signal: AbortSignal;
  /** How many bytes are there. */
  progress(bytes: number): void;
}

/** Where an archive comes to: each has a file of its own, so that what is there is a part of that one. */
export const downloadIn = (folder: string, sha256: string): string => join(folder, `download-${sha256}`);

/** What an earlier process brought. */
export const bytesHeld = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0;

/**
 * The archive is in `path`, and is what was signed, when this returns. What an earlier process brought is read once more and stays; when the
 * whole does not fit then, it is fetched anew.
 */
export async function fetchArchive(path: string, request: ArchiveRequest, fetching: Fetching): Promise<void> {
  if (bytesHeld(path) > request.bytes) rmSync(path);
  const held = await readHeld(path);
  try {
    await bringRest(path, held, { request, fetching });
  } catch (error) {
    if (!(error instanceof Misfit)) throw error;
    rmSync(path);
    if (held.bytes === 0) throw error.cause;
    await fetchArchive(path, request, fetching);
  }
}

interface Held {
  bytes: number;
  /** For the signature, and for the name of the blob. */
  hashes: { digest: Hash; proof: Hash };
}

/** All bytes came, and they are not what they should be. */
class Misfit extends Error {}

async function readHeld(path: string): Promise<Held> {
  const held: Held = { bytes: 0, hashes: { digest: minisignHash(), proof: createHash('sha256') } };
  if (bytesHeld(path) === 0) return held;
  for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) take(held, chunk);
  return held;
}

function take(held: Held, chunk: Uint8Array): void {
  held.hashes.digest.update(chunk);
  held.hashes.proof.update(chunk);
  held.bytes += chunk.length;
}

async function bringRest(
  path: string,
  before: Held,
  { request, fetching }: { request: ArchiveRequest; fetching: Fetching },
): Promise<void> {
  const { code, sha256, bytes } = request;
  const { release, download, signal, progress } = fetching;
  const now = { ...before };
  const file = await open(path, 'a', 0o600);
  try {
    if (now.bytes < bytes) {
      const held = { bytes: now.bytes, digest: now.hashes.proof.copy() };
      for await (const chunk of download({ code, sha256, maxBytes: bytes, held }, signal)) {
        await file.writeFile(chunk);
        take(now, chunk);
        progress(now.bytes);
      }
    }
  } catch (error) {
    signal.throwIfAborted();
    throw now.bytes === bytes ? new Misfit('the blob is another one', { cause: error }) : error;
  } finally {
    await file.close();
  }
  const { digest, proof } = now.hashes;
  try {
    refusing('bad_signature', () => {
      if (proof.digest('hex') !== sha256) throw new Error('its SHA-256 is another one');
    });
  } catch (error) {
    throw new Misfit('the file is another one', { cause: error });
  }
  refusing('bad_signature', () => verifyMinisign(release.signed, release.keys, digest.digest()));
}

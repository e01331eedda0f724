import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
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
  /** Where the bytes come from. */
  download(
    request: { code: string; sha256: string; maxBytes: number },
    signal: AbortSignal,
  ): AsyncIterable<Uint8Array>;
  signal: AbortSignal;
  /** How many bytes are there. */
  progress(bytes: number): void;
}

/** The archive is in `file`, and is what was signed, when this returns. */
export async function fetchArchive(
  path: string,
  { code, sha256, bytes }: ArchiveRequest,
  { release, download, signal, progress }: Fetching,
): Promise<void> {
  const digest = minisignHash();
  const proof = createHash('sha256');
  let received = 0;
  const file = await open(path, 'w', 0o600);
  try {
    for await (const chunk of download({ code, sha256, maxBytes: bytes }, signal)) {
      digest.update(chunk);
      proof.update(chunk);
      await file.writeFile(chunk);
      received += chunk.length;
      progress(received);
    }
  } finally {
    await file.close();
  }
  refusing('bad_signature', () => {
    if (proof.digest('hex') !== sha256) throw new Error('its SHA-256 is another one');
    verifyMinisign(release.signed, release.keys, digest.digest());
  });
}

import { generateKeyPair } from '../../shared/node/keys.ts';
import { minisignHash, signMinisign } from '../../shared/node/minisign.ts';
import type { ReleaseManifest } from '../../shared/release.ts';

/** Whoever signs releases in tests. */
export const releaseSigner = generateKeyPair().privateKey;

/** The signature over an archive, as its trusted comment says; `over` changes what the manifest says. */
export function signRelease(
  archive: string | Uint8Array,
  over: Partial<ReleaseManifest> = {},
  signer = releaseSigner,
): string {
  const manifest: ReleaseManifest = {
    name: 'muster-agent',
    version: '1.2.3',
    platform: 'linux-x64',
    floor: '0.0.0',
    bytes: Buffer.byteLength(archive),
    unpacked_bytes: 10 * Buffer.byteLength(archive),
    ...over,
  };
  return signMinisign(minisignHash().update(archive).digest(), JSON.stringify(manifest), signer);
}

import { execFileSync } from 'node:child_process';
import { createHash, type KeyObject } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { zstdCompressSync } from 'node:zlib';
import type { ReleaseManifest } from '../../shared/release.ts';
import type { InstallParameters } from '../../shared/task-types/plugin-install.ts';
import { signRelease } from './signed-release.ts';

/** Packs a folder as it is, unchecked, and signs it: the bytes, and what a task says of them. */
export function packSigned(
  folder: string,
  { name, version }: { name: string; version: string },
  { signer, ...over }: Partial<ReleaseManifest> & { signer?: KeyObject } = {},
): { archive: Buffer; wish: InstallParameters & { name: string } } {
  const tar = execFileSync(
    'tar',
    ['--create', '--directory', folder, '--file', '-', ...readdirSync(folder)],
    {
      maxBuffer: 64 * 1024 * 1024,
    },
  );
  const archive = zstdCompressSync(tar);
  const said = { platform: 'any', unpacked_bytes: tar.length, ...over };
  const signature = signRelease(archive, { name, version, ...said }, signer);
  return {
    archive,
    wish: {
      ...{ name, version, platform: said.platform, signature, force: false, trial_seconds: 120 },
      sha256: createHash('sha256').update(archive).digest('hex'),
      bytes: archive.length,
    },
  };
}

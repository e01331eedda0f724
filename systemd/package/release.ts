import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { constants, zstdCompressSync } from 'node:zlib';
import type { ReleaseManifest } from '../../shared/release.ts';
import { architecture } from './project.ts';

/** A release that nobody signed yet: the archive, and what its signature is to say. */
export interface BuiltRelease {
  release: string;
  manifest: string;
  releaseBytes: number;
}

export interface ReleaseWish {
  version: string;
  floor: string;
  out: string;
  /** Of zstd. */
  level: number;
}

const maxTarBytes = 1024 ** 3;

/** Makes a release of the agent's tree in `home`. */
export const buildRelease = (home: string, { version, floor, out, level }: ReleaseWish): BuiltRelease =>
  packTree(
    { folder: home, entries: ['bin', 'programs', 'shared'] },
    { name: 'muster-agent', version, platform: `${process.platform}-${process.arch}`, floor },
    { file: join(out, `muster-agent_${version}_${architecture()}.release.tar.zst`), level },
  );

/** Packs what stands in a folder, `entries` in their order: the same files give the same bytes. */
export function packTree(
  { folder, entries }: { folder: string; entries: string[] },
  said: Omit<ReleaseManifest, 'bytes' | 'unpacked_bytes'>,
  { file, level }: { file: string; level: number },
): BuiltRelease {
  const tar = execFileSync(
    'tar',
    [
      ...['--create', '--file', '-', '--directory', folder, '--sort=name', '--format=pax'],
      ...['--owner=0', '--group=0', '--numeric-owner', '--mtime=@0'],
      ...['--pax-option=delete=atime,delete=ctime', '--', ...entries],
    ],
    { maxBuffer: maxTarBytes },
  );
  const archive = zstdCompressSync(tar, {
    params: { [constants.ZSTD_c_compressionLevel]: level, [constants.ZSTD_c_checksumFlag]: 1 },
  });
  writeFileSync(file, archive);
  const manifest: ReleaseManifest = { ...said, bytes: archive.length, unpacked_bytes: tar.length };
  const manifestFile = `${file}.manifest.json`;
  writeFileSync(manifestFile, `${JSON.stringify(manifest)}\n`);
  return { release: file, manifest: manifestFile, releaseBytes: archive.length };
}

import { execFileSync } from 'node:child_process';
import { lstatSync, writeFileSync } from 'node:fs';
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

/** Makes a release of the agent's tree in `home`: the same tree gives the same bytes. */
export function buildRelease(home: string, { version, floor, out, level }: ReleaseWish): BuiltRelease {
  const tar = execFileSync(
    'tar',
    [
      ...['--create', '--file', '-', '--directory', home, '--sort=name', '--format=pax'],
      ...[
        '--owner=0',
        '--group=0',
        '--numeric-owner',
        '--mtime=@0',
        '--pax-option=delete=atime,delete=ctime',
      ],
      ...['bin', 'programs', 'shared'],
    ],
    { maxBuffer: maxTarBytes },
  );
  const archive = zstdCompressSync(tar, {
    params: { [constants.ZSTD_c_compressionLevel]: level, [constants.ZSTD_c_checksumFlag]: 1 },
  });
  const release = join(out, `muster-agent_${version}_${architecture()}.release.tar.zst`);
  writeFileSync(release, archive);
  const manifest: ReleaseManifest = {
    name: 'muster-agent',
    version,
    platform: `${process.platform}-${process.arch}`,
    floor,
    bytes: archive.length,
    unpacked_bytes: tar.length,
  };
  const manifestFile = `${release}.manifest.json`;
  writeFileSync(manifestFile, `${JSON.stringify(manifest)}\n`);
  return { release, manifest: manifestFile, releaseBytes: lstatSync(release).size };
}

import { statfsSync } from 'node:fs';
import { TaskError } from '../../shared/errors.ts';
import { compareVersions, type ReleaseManifest } from '../../shared/release.ts';

const spareBytes = 64 * 1024 * 1024;

/** Throws `TaskError` when a release is not for this device: what can be known before a byte is fetched. */
export function requireAdmissible(
  { platform, version, bytes, unpacked_bytes: unpackedBytes }: ReleaseManifest,
  device: {
    platform: string;
    floor: string | undefined;
    folder: string;
    /** Bytes of the archive that are there already. */
    held?: number;
  },
): void {
  if (platform !== 'any' && platform !== device.platform) {
    throw new TaskError(
      'wrong_platform',
      `The release is for ${platform}, this device is ${device.platform}`,
    );
  }
  if (device.floor !== undefined && compareVersions(version, device.floor) < 0) {
    throw new TaskError(
      'below_floor',
      `This device takes no release before ${device.floor}, and this is ${version}`,
    );
  }
  const { bavail, bsize } = statfsSync(device.folder);
  const needed = Math.max(0, bytes - (device.held ?? 0)) + unpackedBytes + spareBytes;
  if (bavail * bsize < needed) {
    throw new TaskError(
      'disk_full',
      `The release needs ${needed} bytes in ${device.folder}, and ${bavail * bsize} are free`,
    );
  }
}

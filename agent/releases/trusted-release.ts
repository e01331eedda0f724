import { existsSync, readFileSync } from 'node:fs';
import { TaskError } from '../../shared/errors.ts';
import {
  type MinisignKey,
  type MinisignSignature,
  parseMinisignKey,
  parseMinisignSignature,
  verifyComment,
} from '../../shared/node/minisign.ts';
import { parseJson } from '../../shared/parse.ts';
import { agentPackage, ReleaseManifest } from '../../shared/release.ts';
import type { InstallParameters } from '../../shared/task-types/plugin-install.ts';

/** Whose releases this device takes: nothing that a controller could change. */
export interface TrustedKeys {
  /** A file of minisign, which may be missing. */
  file: string;
  /** Further ones, from the configuration. */
  publicKeys: string[];
}

export interface SignedRelease {
  manifest: ReleaseManifest;
  signed: MinisignSignature;
  keys: MinisignKey[];
}

/** What a task asks for, once a key of this device's own vouches for it; the archive itself is still to be verified. */
export function signedRelease(wish: InstallParameters, trusted: TrustedKeys): SignedRelease {
  const keys = readKeys(trusted);
  return refusing('bad_signature', () => {
    const signed = parseMinisignSignature(wish.signature);
    verifyComment(signed, keys);
    const manifest = parseJson('the trusted comment', ReleaseManifest, signed.trustedComment);
    const wished = { ...wish, name: wish.name ?? agentPackage };
    for (const field of ['name', 'version', 'platform', 'bytes'] as const) {
      if (manifest[field] === wished[field]) continue;
      throw new Error(`its ${field} is ${manifest[field]}, and the task says ${wished[field]}`);
    }
    return { manifest, signed, keys };
  });
}

/** Whatever goes wrong inside means that the release cannot be trusted. */
export function refusing<T>(code: string, look: () => T): T {
  try {
    return look();
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    throw new TaskError(code, `The release is not what a trusted key signed: ${said}`, { cause: error });
  }
}

function readKeys({ file, publicKeys }: TrustedKeys): MinisignKey[] {
  const texts = [...publicKeys, ...(existsSync(file) ? [readFileSync(file, 'utf8')] : [])];
  if (texts.length === 0) {
    throw new TaskError(
      'no_release_key',
      `This device trusts no releases: put the public key of whoever signs them into ${file}`,
    );
  }
  return texts.map((text) => parseMinisignKey(text));
}

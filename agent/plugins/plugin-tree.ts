import {
  chmodSync,
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  realpathSync,
  type Stats,
} from 'node:fs';
import { join, relative, sep } from 'node:path';
import { parseJson } from '../../shared/parse.ts';
import { maxPluginManifestBytes, PluginManifest } from '../../shared/plugin.ts';
import { requireUsableSchemas } from '../../shared/node/plugin-contract.ts';
import { badRelease } from '../releases/unpack.ts';

/** Reads what was unpacked: files, folders, and links that stay inside; readable by everybody and written by nobody. Throws `bad_release`. */
export function readPluginTree(
  folder: string,
  signed: { name?: string; version?: string } = {},
): PluginManifest {
  tidy(folder, folder);
  const manifest = readManifest(join(folder, 'plugin.json'));
  for (const field of ['name', 'version'] as const) {
    if (signed[field] === undefined || manifest[field] === signed[field]) continue;
    throw badRelease(
      `its plugin.json says ${field} ${manifest[field]}, and what was signed is ${signed[field]}`,
    );
  }
  const program = join(folder, manifest.program);
  const stats = existsSync(program) ? lstatSync(program) : undefined;
  if (!stats?.isFile()) throw badRelease(`it has no program ${manifest.program}`);
  if (manifest.runtime === undefined && (stats.mode & 0o111) === 0) {
    throw badRelease(`its program ${manifest.program} is not executable`);
  }
  return manifest;
}

function readManifest(path: string): PluginManifest {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (!stats?.isFile()) throw badRelease('it has no plugin.json');
  const { size } = stats;
  if (size > maxPluginManifestBytes) {
    throw badRelease(`its plugin.json has ${size} bytes, expected at most ${maxPluginManifestBytes}`);
  }
  try {
    const manifest = parseJson('its plugin.json', PluginManifest, readFileSync(path, 'utf8'));
    requireUsableSchemas(manifest);
    return manifest;
  } catch (error) {
    throw badRelease(error instanceof Error ? error.message : String(error));
  }
}

function tidy(root: string, folder: string): void {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    const stats = lstatSync(path);
    requireHarmless(root, path, stats);
    if (stats.isSymbolicLink()) continue;
    chmodSync(path, stats.isDirectory() || (stats.mode & 0o111) !== 0 ? 0o755 : 0o644);
    if (stats.isDirectory()) tidy(root, path);
  }
}

function requireHarmless(root: string, path: string, stats: Stats): void {
  const name = relative(root, path);
  if (stats.isSymbolicLink()) {
    const target = existsSync(path) ? realpathSync(path) : undefined;
    if (target?.startsWith(realpathSync(root) + sep)) return;
    throw badRelease(`its link ${name} leads out of it`);
  }
  if (!stats.isFile() && !stats.isDirectory()) throw badRelease(`${name} is neither a file nor a folder`);
  if ((stats.mode & 0o7000) !== 0 && stats.isFile()) throw badRelease(`${name} is setuid or setgid`);
}

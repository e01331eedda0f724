import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readPluginTree } from '../../agent/plugins/plugin-tree.ts';
import { type BuiltRelease, packTree } from './release.ts';

export interface PluginWish {
  /** Of the plugin's files. */
  folder: string;
  /** `any`, or the one that it has programs for. */
  platform: string;
  floor: string;
  out: string;
}

/** Packs a plugin, after the checks that a device makes: `plugin.json` comes first, so that nobody has to unpack the rest to read it. */
export function buildPlugin({ folder, platform, floor, out }: PluginWish): BuiltRelease {
  const work = mkdtempSync(join(tmpdir(), 'muster-plugin-'));
  try {
    // Modes are made the same everywhere, and not in somebody's checkout.
    cpSync(folder, work, { recursive: true, verbatimSymlinks: true });
    const { name, version } = readPluginTree(work);
    const others = readdirSync(work).filter((one) => one !== 'plugin.json');
    mkdirSync(out, { recursive: true });
    return packTree(
      { folder: work, entries: ['plugin.json', ...others.sort()] },
      { name, version, platform, floor },
      { file: join(out, `${name}_${version}_${platform}.plugin.tar.zst`), level: 19 },
    );
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

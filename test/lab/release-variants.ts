import { execFileSync } from 'node:child_process';
import { generateKeyPair } from '../../shared/node/keys.ts';
import { minisignHash, minisignPublicKey, signMinisign } from '../../shared/node/minisign.ts';
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { buildRelease } from '../../systemd/package/release.ts';
import { version as built } from '../../systemd/package/project.ts';
import { builtPackages } from './built-packages.ts';

/** What is wrong with a variant: text that takes the place of `programs/muster-agent/bin.js`. */
export const faults = {
  /** Both programs end as soon as they are started. */
  crashes: (version: string) => `
    if (process.argv[2] === 'version') console.log('muster-agent ${version}');
    else process.exit(7);`,
  /** The agent tells systemd that it is ready, and never dials. */
  mute: (version: string) => `
    if (process.argv[2] === 'version') console.log('muster-agent ${version}');
    else if (['root-helper', 'schema'].includes(process.argv[2])) import('./real-bin.js');
    else {
      process.getBuiltinModule('node:child_process').execFile('systemd-notify', ['--ready']);
      setInterval(() => {}, 1000);
    }`,
  /** It says another version than it should. */
  mislabelled: () => `console.log('muster-agent 0.0.1');`,
};

export interface Variant {
  version: string;
  floor?: string;
  fault?: keyof typeof faults;
}

/** Signed releases of the agent of this checkout, under other versions and with faults. */
export class ReleaseVariants {
  readonly publicKey: string;
  readonly #key = generateKeyPair().privateKey;
  readonly #folder: string;
  readonly #tree: string;

  private constructor(folder: string, tree: string) {
    this.#folder = folder;
    this.#tree = tree;
    this.publicKey = minisignPublicKey(this.#key);
  }

  static async open(folder: string): Promise<ReleaseVariants> {
    const { agent } = await builtPackages();
    const packages = dirname(agent);
    const archive = readdirSync(packages).find((name) => name.endsWith('.release.tar.zst'));
    if (archive === undefined) throw new Error(`the build made no release in ${packages}`);
    const tree = join(folder, 'tree');
    mkdirSync(tree, { recursive: true });
    execFileSync('tar', ['--zstd', '--extract', '--directory', tree, '--file', join(packages, archive)]);
    return new ReleaseVariants(folder, tree);
  }

  /** Makes and signs one; returns the file, whose signature lies beside it. */
  make({ version, floor = '0.0.0', fault }: Variant): string {
    const tree = join(this.#folder, `tree-${version}`);
    execFileSync('cp', ['--archive', '--link', this.#tree, tree]);
    const programs = join(tree, 'programs', 'muster-agent');
    for (const name of readdirSync(programs).filter((one) => one.endsWith('.js'))) {
      const text = readFileSync(join(programs, name), 'utf8');
      if (text.includes(`"${built}"`))
        replace(join(programs, name), text.replaceAll(`"${built}"`, `"${version}"`));
    }
    if (fault !== undefined) {
      cpSync(join(programs, 'bin.js'), join(programs, 'real-bin.js'));
      replace(join(programs, 'bin.js'), faults[fault](version));
    }
    const { release, manifest } = buildRelease(tree, { version, floor, out: this.#folder, level: 1 });
    rmSync(tree, { recursive: true });
    const digest = minisignHash().update(readFileSync(release)).digest();
    writeFileSync(
      `${release}.minisig`,
      signMinisign(digest, readFileSync(manifest, 'utf8').trim(), this.#key),
    );
    return release;
  }
}

/** A new file: the old one has other names. */
function replace(path: string, text: string): void {
  rmSync(path);
  writeFileSync(path, text);
}

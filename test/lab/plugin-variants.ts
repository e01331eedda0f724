import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { generateKeyPair } from '../../shared/node/keys.ts';
import { minisignHash, minisignPublicKey, signMinisign } from '../../shared/node/minisign.ts';
import { buildPlugin } from '../../systemd/package/plugin.ts';
import { projectRoot } from '../harness/source-files.ts';

/** Says of whatever it is asked who it is and where; for the name `wait`, after a long while. */
const frank = (describesAfterMs: number): string => `
    import { readFileSync } from 'node:fs';
    import { userInfo } from 'node:os';
    const { name, version, task_types } = JSON.parse(readFileSync(new URL('plugin.json', import.meta.url), 'utf8'));
    process.stdin.once('data', (data) => {
      const { op, parameters } = JSON.parse(String(data));
      if (op === 'describe')
        return setTimeout(() => end({ name, version, task_types: Object.keys(task_types) }), ${describesAfterMs});
      console.log(JSON.stringify({ log: 'begun' }));
      const records = [userInfo().username, process.cwd(), ...Object.keys(process.env).sort()];
      const said = { name: parameters.name, type: 'A', servers: [version], records, duration_ms: 0 };
      setTimeout(() => end(said), parameters.name === 'wait' ? 15_000 : 0);
    });
    function end(result) {
      console.log(JSON.stringify({ result }));
      process.stdin.destroy();
    }`;

/** What takes the place of `netdiag.js`. */
const programs = {
  frank: frank(0),
  /** Takes its time to say what it is. */
  slow: frank(5_000),
  /** Never says it. */
  mute: 'process.stdin.resume();',
};

/** Signed packages of the example plugin, under other versions and with other programs. */
export class PluginVariants {
  readonly publicKey: string;
  readonly #key = generateKeyPair().privateKey;
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
    this.publicKey = minisignPublicKey(this.#key);
  }

  /** Makes and signs one; returns the file, whose signature lies beside it. */
  make(version: string, program?: keyof typeof programs): string {
    const source = join(this.#folder, `netdiag-${version}`);
    cpSync(join(projectRoot, 'plugins/netdiag'), source, { recursive: true });
    const file = join(source, 'plugin.json');
    const manifest = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
    writeFileSync(file, JSON.stringify({ ...manifest, version }));
    if (program !== undefined) writeFileSync(join(source, 'netdiag.js'), programs[program]);
    const wish = { folder: source, platform: 'any', floor: '0.0.0', out: this.#folder };
    const { release, manifest: signed } = buildPlugin(wish);
    const digest = minisignHash().update(readFileSync(release)).digest();
    const comment = readFileSync(signed, 'utf8').trim();
    writeFileSync(`${release}.minisig`, signMinisign(digest, comment, this.#key));
    return release;
  }
}

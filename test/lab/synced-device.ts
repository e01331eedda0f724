import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseJournal } from '../../agent/transaction/linux/journal.ts';
import type { JournalState } from '../../shared/transaction.ts';
import type { Appliance } from '../harness/appliance.ts';
import type { Cluster } from '../harness/cluster.ts';
import { until } from '../harness/until.ts';
import { InstalledDevice } from './installed-device.ts';
import { pausingProfile } from './pausing-profile.ts';

export const rulesPath = '/etc/nftables.conf';
export const motdPath = '/etc/motd';
const motd = (change: number): string => `change ${change}\n`;
export const transactions = '/var/lib/muster-root-helper/transactions';

/** A ruleset with these lines in its only chain. */
export const ruleset = (...lines: string[]): string =>
  `#!/usr/sbin/nft -f\nflush ruleset\ntable inet filter {\n  chain only {\n    type filter hook output priority 0; policy accept;\n${lines.map((line) => `    ${line}\n`).join('')}  }\n}\n`;

type Box = AsyncDisposable & Pick<Appliance, 'exec' | 'must' | 'expose' | 'read'>;

/** What a machine starts with that is to become one. */
export const syncedMachine = {
  units: ['nftables.service'],
  files: {
    [rulesPath]: ruleset(),
    [motdPath]: motd(0),
    '/etc/muster/profiles/debian.yaml': pausingProfile,
  },
};

/** A device with the real package whose packet filter is configured by its controller. */
export class SyncedDevice<Machine extends Box = Appliance> implements AsyncDisposable {
  readonly device: InstalledDevice<Machine>;
  readonly #cluster: Cluster;
  #changes = 0;

  constructor(device: InstalledDevice<Machine>, cluster: Cluster) {
    this.device = device;
    this.#cluster = cluster;
  }

  static async enrolled(cluster: Cluster, controllerPort = cluster.controller.port): Promise<SyncedDevice> {
    const options = { controllerPort, ...syncedMachine };
    return new SyncedDevice(await InstalledDevice.enrolled(cluster, 'edge-1', options), cluster);
  }

  /** Sends a SYNC of this ruleset; returns the task. */
  async sync(rules: string): Promise<string> {
    this.#changes += 1;
    const folder = join(this.#cluster.folder, 'bundle');
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'nftables.conf'), rules);
    writeFileSync(join(folder, 'motd'), motd(this.#changes));
    const files = [
      `{ path: ${rulesPath}, unit: nftables, source: nftables.conf }`,
      `{ path: ${motdPath}, unit: files, source: motd }`,
    ];
    const lines = [
      'profile: debian',
      'targets: { all: true }',
      'files:',
      ...files.map((file) => `  - ${file}`),
    ];
    writeFileSync(join(folder, 'bundle.yaml'), `${lines.join('\n')}\n`);
    const put = await this.#cluster.muster(['bundle', 'put', 'edge', '-F', join(folder, 'bundle.yaml')]);
    if (put.exitCode !== 0) throw new Error(`the bundle was not taken: ${put.stderr}`);
    const request = { targets: { devices: [this.device.name] } };
    const answer = await this.#cluster.controller.call('POST', '/api/v1/organizations/default/sync', request);
    const [task] = answer['tasks'] as { task: string }[];
    if (!task) throw new Error(`no SYNC was made: ${JSON.stringify(answer)}`);
    return task.task;
  }

  /** The last word of a transaction's journal, also while the device is off. */
  async journal(code: string): Promise<JournalState | undefined> {
    const text = await this.device.box.read(`${transactions}/${code}/journal`);
    return parseJournal(Buffer.from(text)).at(-1)?.state;
  }

  reaches(code: string, state: JournalState): Promise<boolean> {
    return until(`${code} is ${state}`, async () => (await this.journal(code)) === state, {
      last: () => this.journal(code).catch(String),
    });
  }

  /** Settles as soon as the journal has had this state. It looks from the inside, for a state that does not last. */
  async passes(code: string, state: JournalState): Promise<void> {
    const looking = `until grep -q '^${state}' ${transactions}/${code}/journal 2>/dev/null; do :; done`;
    await this.device.box.must('timeout', '30', 'sh', '-c', looking);
  }

  /** What is configured: both files, and the packet filter as it runs. */
  async look(): Promise<{ rules: string; motd: string; running: string }> {
    const { box } = this.device;
    const [rules, motd] = [await box.read(rulesPath), await box.read(motdPath)];
    return { rules, motd, running: await box.must('nft', 'list', 'ruleset') };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.device[Symbol.asyncDispose]();
  }
}

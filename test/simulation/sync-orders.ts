import type { Manifest } from '../../shared/manifest.ts';
import { misbehaviours } from '../../agent/transaction/memory/memory-services.ts';
import { MemoryOrders } from '../harness/memory-orders.ts';
import type { SeededRandom } from './random.ts';

/** One configuration for one device, as it is drawn: what is in it and how it goes wrong. */
export interface DrawnSync {
  device: number;
  /** Shows in every file; two of the same content are the same configuration. */
  content: number;
  /** What the file of one unit makes its service do; `good` for nothing bad. */
  kind: SyncKind;
  unit: number;
  confirmSeconds: number;
  dryRun: boolean;
  release: boolean;
  overwrite: boolean;
}

const kinds = {
  good: 12,
  invalid: 1,
  locksOutVisibly: 1,
  breaksAtStart: 1,
  reloadFails: 2,
  breaks: 2,
  locksOut: 5,
};
export type SyncKind = keyof typeof kinds;

const units = ['firewall', 'router', 'resolver'] as const;
/** Files of every configuration: each unit has one, the first two. */
export const managedFiles = [
  '/etc/firewall/rules.conf',
  '/etc/firewall/sets.conf',
  '/etc/router/main.conf',
  '/etc/resolver/main.conf',
] as const;

export const windowSeconds = { least: 30, most: 60 };

export const drawSync = (
  random: SeededRandom,
  { devices, tag }: { devices: number; tag: number },
): DrawnSync => ({
  device: random.integer(0, devices - 1),
  content: random.chance(0.2) ? random.integer(1, tag) : tag,
  kind: random.weighted(kinds),
  unit: random.integer(0, units.length - 1),
  confirmSeconds: random.pick([windowSeconds.least, windowSeconds.least, windowSeconds.most]),
  dryRun: random.chance(0.05),
  release: random.chance(0.1),
  overwrite: random.chance(0.8),
});

export const textOfFile = (content: number, path: string, word = ''): string =>
  `content ${content} of ${path}\n${word}`;

/** Number of the content that all files together are; undefined when they are a mixture. */
export function wholeContent(files: readonly (readonly [string, string])[]): number | undefined {
  const contents = new Set(managedFiles.map((path) => contentOf(files.find(([one]) => one === path)?.[1])));
  const [first] = contents;
  return contents.size === 1 && files.length === managedFiles.length ? first : undefined;
}

const contentOf = (text: string | undefined): number | undefined => {
  const found = /^content (\d+) of/.exec(text ?? '')?.[1];
  return found === undefined ? undefined : Number(found);
};

/** Manifests and blobs that the controller's machine holds, and what each generation of a device contains. */
export class SyncOrders {
  readonly store = new MemoryOrders();
  readonly #contents = new Map<string, number>();

  /** Parameters of the task. The tag is its generation. */
  parameters(drawn: DrawnSync, deviceId: string, tag: number): Record<string, unknown> {
    const bad = drawn.kind === 'good' ? '' : misbehaviours[drawn.kind];
    const files = managedFiles.map((path) => {
      const word = path.startsWith(`/etc/${units[drawn.unit]}/`) ? bad : '';
      return this.store.file({ path, text: textOfFile(drawn.content, path, word) });
    });
    const manifest: Partial<Manifest> & Pick<Manifest, 'files'> = {
      device: deviceId,
      generation: tag,
      files,
    };
    this.#contents.set(`${deviceId} ${tag}`, drawn.content);
    return {
      ...this.store.order(manifest, {
        confirm_seconds: drawn.confirmSeconds,
        dry_run: drawn.dryRun,
        release: drawn.release,
        on_drift: drawn.overwrite ? 'overwrite' : 'refuse',
      }),
    };
  }

  contentOf(deviceId: string, generation: number): number | undefined {
    return this.#contents.get(`${deviceId} ${generation}`);
  }
}

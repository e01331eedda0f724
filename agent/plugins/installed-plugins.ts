import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Logger } from '../../shared/node/logger.ts';
import { parseJson } from '../../shared/parse.ts';
import { partsOfTaskType, PluginManifest, taskTypeOf } from '../../shared/plugin.ts';
import { pluginContract } from '../../shared/node/plugin-contract.ts';
import type { PluginTaskType, TaskContract } from '../../shared/task-types/task-type.ts';
import { PluginFolder, pluginsOf } from './plugin-folder.ts';

/** A plugin as it lies on the disk, ready to be run. */
export interface Plugin {
  /** Of its files. */
  folder: string;
  manifest: PluginManifest;
}

interface Known extends Plugin {
  contracts: Map<string, TaskContract>;
}

/** The plugins of this device. The disk is looked at every time, so that a new version counts at once; a manifest is read once per version. */
export class InstalledPlugins {
  readonly #releases: string;
  readonly #log: Logger;
  readonly #known = new Map<string, Known | undefined>();
  #listener: () => void = () => undefined;
  #told: string;

  /** `releases` is the folder of releases. */
  constructor(releases: string, log: Logger) {
    this.#releases = releases;
    this.#log = log;
    this.#told = JSON.stringify(this.versions());
  }

  list(): Plugin[] {
    const folder = pluginsOf(this.#releases);
    if (!existsSync(folder)) return [];
    return readdirSync(folder)
      .sort()
      .flatMap((name) => this.#read(name) ?? []);
  }

  versions(): Record<string, string> {
    return Object.fromEntries(this.list().map(({ manifest }) => [manifest.name, manifest.version]));
  }

  types(): PluginTaskType[] {
    return this.list().flatMap(({ manifest }) =>
      Object.keys(manifest.task_types).map((type) => taskTypeOf(manifest.name, type)),
    );
  }

  /** Undefined when no plugin here has such a task type. */
  find(name: PluginTaskType): { plugin: Plugin; type: string; contract: TaskContract } | undefined {
    const { plugin: pluginName, type } = partsOfTaskType(name);
    const plugin = this.#read(pluginName);
    const contract = plugin?.contracts.get(type);
    return plugin && contract && { plugin, type, contract };
  }

  has(plugin: string): boolean {
    return this.#read(plugin) !== undefined;
  }

  /** Told after `lookAgain` when something is another than it was. */
  onChange(listener: () => void): void {
    this.#listener = listener;
  }

  lookAgain(): void {
    const now = JSON.stringify(this.versions());
    if (now === this.#told) return;
    this.#told = now;
    this.#listener();
  }

  #read(name: string): Known | undefined {
    if (!/^[a-z0-9-]{1,32}$/.test(name)) return undefined;
    const { current, path } = new PluginFolder(this.#releases, name);
    const tree = targetOf(current);
    if (tree === undefined) {
      this.#known.delete(name);
      return undefined;
    }
    const key = `${name}/${tree}`;
    if (!this.#known.has(key)) {
      for (const old of this.#known.keys()) if (old.startsWith(`${name}/`)) this.#known.delete(old);
      this.#known.set(key, this.#load(join(path, tree), name));
    }
    return this.#known.get(key);
  }

  #load(folder: string, name: string): Known | undefined {
    try {
      const text = readFileSync(join(folder, 'plugin.json'), 'utf8');
      const manifest = parseJson(`plugin.json of ${name}`, PluginManifest, text);
      if (manifest.name !== name) throw new Error(`it is of ${manifest.name}`);
      const contracts = Object.keys(manifest.task_types).map(
        (type) => [type, pluginContract(manifest, type)] as const,
      );
      return { folder, manifest, contracts: new Map(contracts) };
    } catch (error) {
      this.#log.error({ event: 'plugin.unreadable', plugin: name, err: error }, 'a plugin cannot be used');
      return undefined;
    }
  }
}

function targetOf(link: string): string | undefined {
  try {
    return basename(readlinkSync(link));
  } catch {
    return undefined; // not installed
  }
}

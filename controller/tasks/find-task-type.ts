import { AppError } from '../../shared/errors.ts';
import { definitionOf, partsOfTaskType } from '../../shared/plugin.ts';
import { pluginContract } from '../../shared/node/plugin-contract.ts';
import { contractOf } from '../../shared/task-types/contracts.ts';
import {
  isBuiltIn,
  type PluginTaskType,
  type TaskContract,
  type TaskType,
  traitsOf,
} from '../../shared/task-types/task-type.ts';
import { pluginsOf } from '../content/plugins.ts';
import type { ReleaseStore } from '../store/releases.ts';

/** Where the types of plugins are looked up. */
export type PluginStore = Pick<ReleaseStore, 'plugins' | 'manifests'>;

/** A task type as it is known where it is to run. */
export interface KnownTaskType {
  contract: TaskContract;
  /** Default bound on execution. */
  timeoutMs: number;
}

/** Built in, or of a plugin that the organization has. Throws 422 `task_type_not_supported` that says what to do. */
export async function findTaskType(
  releases: PluginStore,
  organizationId: string,
  type: TaskType,
): Promise<KnownTaskType> {
  if (!isBuiltIn(type)) return typeOfPlugin(releases, organizationId, type);
  const contract = contractOf(type);
  if (contract === undefined) {
    throw notSupported(`${type} is not supported by this version of the controller`);
  }
  return { contract, timeoutMs: traitsOf(type).timeoutMs };
}

/** Why a device that listed these types cannot do another. */
export function lacking(type: TaskType, listed: readonly string[]): string {
  if (isBuiltIn(type)) return `its agent does not support ${type}`;
  const { plugin } = partsOfTaskType(type);
  const has = listed.some(
    (one) => one.includes('.') && partsOfTaskType(one as PluginTaskType).plugin === plugin,
  );
  const what = has
    ? `its version of the plugin ${plugin} has no ${type}`
    : `the plugin ${plugin} is not installed there`;
  return `${what}: muster run plugin-install ${plugin}`;
}

async function typeOfPlugin(
  releases: PluginStore,
  organizationId: string,
  name: PluginTaskType,
): Promise<KnownTaskType> {
  const { plugin, type } = partsOfTaskType(name);
  const manifest = (await pluginsOf(releases, organizationId, plugin)).get(plugin);
  if (manifest === undefined) {
    throw notSupported(
      `${name} is of the plugin ${plugin}, and there is no release of it that is not yanked: add one with muster release add FILE`,
    );
  }
  const definition = definitionOf(manifest, type);
  if (definition === undefined) {
    const types = Object.keys(manifest.task_types).join(', ');
    throw notSupported(
      `${name} is not a task type of the plugin ${plugin} ${manifest.version}: expected one of ${types}`,
    );
  }
  return { contract: pluginContract(manifest, type), timeoutMs: definition.timeout_seconds * 1000 };
}

const notSupported = (message: string): AppError => new AppError('task_type_not_supported', message);

import { TaskError } from '../../shared/errors.ts';
import { partsOfTaskType } from '../../shared/plugin.ts';
import { isBuiltIn, type PluginTaskType } from '../../shared/task-types/task-type.ts';
import type { Handler } from '../handlers/handler.ts';
import type { Handlers } from './runner.ts';

/** Task types that come and go while this process runs. */
export interface PluginTypes {
  types(): PluginTaskType[];
  /** By name. */
  versions(): Record<string, string>;
  isInstalled(plugin: string): boolean;
  handlerOf(type: PluginTaskType): Handler | undefined;
  /** Told when the types may have become others. */
  onChange(listener: () => void): void;
}

/** What can be run here. */
export interface Runnable {
  handlers: Handlers;
  plugins?: PluginTypes | undefined;
  /** Part of what usually runs here is away, and will be back: its tasks are left as they are. */
  isPartial?: boolean | undefined;
}

/** Undefined when tasks of that type cannot be run here, at this moment. */
export const findHandler = ({ handlers, plugins }: Runnable, type: string): Handler | undefined =>
  isBuiltIn(type) ? handlers[type] : isOfPlugin(type) ? plugins?.handlerOf(type) : undefined;

/** Why there is no handler. */
export function unknownType({ plugins }: Runnable, type: string): TaskError {
  if (!isOfPlugin(type)) return new TaskError('unknown_type', `This agent cannot run ${type}`);
  const { plugin } = partsOfTaskType(type);
  return new TaskError(
    'unknown_type',
    plugins?.isInstalled(plugin)
      ? `The plugin ${plugin} of this device has no task type ${type}`
      : `The plugin ${plugin} is not installed on this device`,
  );
}

const isOfPlugin = (type: string): type is PluginTaskType => type.includes('.');

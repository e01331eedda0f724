import type { RunType } from '../../../shared/run-type.ts';
import type { PluginTaskType } from '../../../shared/task-types/task-type.ts';

/** What runs, as area and verb. */
export const taskNames = {
  PING: 'device.ping',
  HEALTH_CHECK: 'device.check',
  REBOOT: 'device.reboot',
  SHUTDOWN: 'device.shutdown',
  CONNECT: 'device.connect',
  SCRIPT: 'script.run',
  SYNC: 'config.sync',
  PULL: 'config.pull',
  BACKUP: 'config.backup',
  RESTART: 'agent.restart',
  PLUGIN_INSTALL: 'agent.install',
  AGENT_TASK: 'assistant.run',
} as const satisfies Record<Exclude<RunType, PluginTaskType>, string>;

/** A task type of a plugin is the area `plugin`. */
export const taskNameOf = (type: RunType): string =>
  type in taskNames ? taskNames[type as keyof typeof taskNames] : `plugin.${type.toLowerCase()}`;

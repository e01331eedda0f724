import type { RunType } from '../../../shared/run-type.ts';

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
} as const satisfies Record<RunType, string>;

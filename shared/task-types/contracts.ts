import { Backup } from './backup.ts';
import { Connect } from './connect.ts';
import { HealthCheck } from './health-check.ts';
import { Ping } from './ping.ts';
import { PluginInstall } from './plugin-install.ts';
import { Pull } from './pull.ts';
import { Reboot } from './reboot.ts';
import { Restart } from './restart.ts';
import { Script } from './script.ts';
import { Shutdown } from './shutdown.ts';
import { Sync } from './sync.ts';
import { type BuiltInTaskType, isBuiltIn, type TaskContract } from './task-type.ts';

/** The task types that this version knows how to run. Types without a contract are refused as not supported. */
export const taskContracts: Partial<Record<BuiltInTaskType, TaskContract>> = {
  PING: Ping,
  HEALTH_CHECK: HealthCheck,
  SCRIPT: Script,
  REBOOT: Reboot,
  SHUTDOWN: Shutdown,
  RESTART: Restart,
  PLUGIN_INSTALL: PluginInstall,
  SYNC: Sync,
  PULL: Pull,
  BACKUP: Backup,
  CONNECT: Connect,
};

/** Undefined for what this version cannot run, and for the types of plugins: only their package knows them. */
export const contractOf = (type: string): TaskContract | undefined =>
  isBuiltIn(type) ? taskContracts[type] : undefined;

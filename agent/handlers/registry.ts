import type { BuiltInTaskType } from '../../shared/task-types/task-type.ts';
import type { Handler } from './handler.ts';
import { healthCheck } from './health-check.ts';
import { ping } from './ping.ts';
import { reboot } from './reboot.ts';
import { restart } from './restart.ts';
import { script } from './script.ts';
import { shutdown } from './shutdown.ts';

/** The task types this agent can run; it refuses all others as `unknown_type`. */
export const handlers: Partial<Record<BuiltInTaskType, Handler>> = {
  PING: ping,
  HEALTH_CHECK: healthCheck,
  SCRIPT: script,
  REBOOT: reboot,
  SHUTDOWN: shutdown,
  RESTART: restart,
};

import { z } from 'zod';
import { TaskError } from '../../shared/errors.ts';
import { PluginTaskTypeName } from '../../shared/plugin.ts';
import { AgeRecipient } from '../../shared/task-types/pull.ts';
import { type TaskType, taskTypeNames } from '../../shared/task-types/task-type.ts';

/** `NETDIAG.*`: whatever types plugin `netdiag` has. */
const AllOfPlugin = z.templateLiteral([z.string().regex(/[A-Z][A-Z0-9_]{0,31}/), '.*']);

/** What this device accepts at all. It narrows what the controller may ask; the controller cannot widen it. */
export const Policy = z.strictObject({
  task_types: z
    .array(z.union([z.enum(taskTypeNames), PluginTaskTypeName, AllOfPlugin]))
    .optional()
    .describe(
      'only these task types, as PING, NETDIAG.TRACEROUTE, NETDIAG.*; all that the agent knows when absent',
    ),
  script_users: z
    .array(z.string().min(1).max(32))
    .optional()
    .describe('SCRIPT only as these users; a script without a user runs as the agent’s own'),
  plugin_users: z
    .array(z.string().min(1).max(32))
    .max(64)
    .optional()
    .describe('plugins run as these users only; muster-plugin when absent'),
  recipients: z
    .array(AgeRecipient)
    .max(64)
    .optional()
    .describe('PULL and BACKUP encrypt to these age recipients only; to whom the task says when absent'),
});
export type Policy = z.output<typeof Policy>;

/** As whom plugins may run. */
export const pluginUsers = ({ plugin_users: users }: Policy): string[] => users ?? ['muster-plugin'];

export const allowsType = ({ task_types: types }: Pick<Policy, 'task_types'>, type: TaskType): boolean =>
  types === undefined || types.includes(type) || types.some((one) => isAllOf(one, type));

const isAllOf = (one: string, type: TaskType): boolean =>
  one.endsWith('.*') && type.startsWith(one.slice(0, -1));

/** Throws `TaskError('policy')` when the device does not allow this. `ownUser` is who the agent runs as. */
export function requireAllowed(
  policy: Policy,
  ownUser: string,
  task: { type: TaskType; parameters: unknown },
): void {
  if (!allowsType(policy, task.type)) {
    throw new TaskError('policy', `The policy of this device does not allow ${task.type}`);
  }
  if (task.type !== 'SCRIPT' || !policy.script_users) return;
  const user = (task.parameters as { user?: string }).user ?? ownUser;
  if (!policy.script_users.includes(user)) {
    throw new TaskError('policy', `The policy of this device does not allow SCRIPT as user ${user}`);
  }
}

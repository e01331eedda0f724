import { TaskError } from '../../shared/errors.ts';
import type { PluginTaskType, TaskContract } from '../../shared/task-types/task-type.ts';
import type { Handler } from '../handlers/handler.ts';
import type { PluginTypes } from '../runner/find-handler.ts';
import type { InstalledPlugins, Plugin } from './installed-plugins.ts';
import { requireUser } from './plugin-user.ts';
import { runPlugin } from './plugin-program.ts';

/** The task types of the installed plugins; `handlerOf` says who runs one. */
export const pluginTypes = (
  installed: InstalledPlugins,
  handlerOf: (found: NonNullable<ReturnType<InstalledPlugins['find']>>) => Handler,
): PluginTypes => ({
  types: () => installed.types(),
  versions: () => installed.versions(),
  isInstalled: (plugin) => installed.has(plugin),
  handlerOf: (type: PluginTaskType) => {
    const found = installed.find(type);
    return found && handlerOf(found);
  },
  onChange: (listener) => installed.onChange(listener),
});

/** Runs tasks of one type of a plugin: by its program, as one of `users`. */
export const pluginHandler = (
  { plugin, type, contract }: { plugin: Plugin; type: string; contract: TaskContract },
  users: string[],
): Handler => ({
  contract,
  run: async (parameters, context) => {
    requireUser(plugin.manifest, users);
    const { code: task, timeoutMs } = context;
    const request = { op: 'run', task, task_type: type, parameters, timeout_ms: timeoutMs } as const;
    return checked(contract, await runPlugin(plugin, request, context));
  },
  recover: async () => {
    if (plugin.manifest.task_types[type]?.idempotent) return 'rerun';
    throw new TaskError(
      'interrupted',
      `The agent or the machine stopped while ${contract.name} ran: how far it came is unknown, and its plugin does not call it idempotent`,
    );
  },
});

function checked(contract: TaskContract, result: Record<string, unknown>): unknown {
  const outcome = contract.result.safeParse(result);
  if (outcome.success) return outcome.data;
  const [issue] = outcome.error.issues;
  const where = issue?.path.map(String).join('.') || 'the result';
  throw new TaskError(
    'bad_result',
    `The result does not fit the plugin’s own schema: ${where}: ${issue?.message}`,
  );
}

/** Whoever lists the task types of this device hears of it when PLUGIN_INSTALL changed them: before the end of the task is known. */
export function tellingOfChanges(install: Handler, installed: InstalledPlugins): Handler {
  const { recover } = install;
  const telling = async (work: () => Promise<unknown>): Promise<unknown> => {
    try {
      return await work();
    } finally {
      installed.lookAgain();
    }
  };
  return {
    ...install,
    run: (parameters, context) => telling(() => install.run(parameters, context)),
    ...(recover && { recover: (...given) => telling(() => recover(...given)) }),
  };
}

import type { Command } from '@commander-js/extra-typings';
import { type TaskType, taskTypeNames } from '../../../shared/task-types/task-type.ts';
import { repeatable } from '../../arguments/argument-parsers.ts';
import { typeName } from '../../arguments/task-type-name.ts';
import { typedParameters } from '../../arguments/typed-parameters.ts';
import { usageError } from '../../cli-error.ts';
import type { Environment, Open } from '../../environment.ts';
import { findTaskType } from '../task-type/find.ts';
import { runCommand } from './run-options.ts';
import { readText } from './script-text.ts';
import { submit } from './submit.ts';

const notes = `
What there is, and which parameters it takes: muster task-type list, muster task-type describe TYPE

Examples:
  muster run task NETDIAG.TRACEROUTE --device fw-1 --param host=192.0.2.1 --param max_hops=10 --wait
  muster run task NETDIAG.TRACEROUTE --all --parameters @traceroute.json --batch 10%`;

export function addRunTask(group: Command, open: Open): void {
  runCommand(group, 'task', 'Run a task type by its name, such as one of a plugin')
    .argument('<type>', 'such as NETDIAG.TRACEROUTE', typeName(taskTypeNames))
    .optionsGroup('Parameters:')
    .option('--param <name=value>', 'one parameter; repeatable', repeatable)
    .option('--parameters <json|@file>', 'all of them as a JSON object, of a file, or of standard input (@-)')
    .optionsGroup('Options:')
    .addHelpText('after', notes)
    .action(async (type, options) => {
      const environment = await open();
      const payload = await payloadOf(environment, type, options);
      await submit(environment, { type, payload, options, verb: `Run ${type} on` });
    });
}

async function payloadOf(
  { client, terminal }: Environment,
  type: TaskType,
  { param, parameters }: { param?: string[] | undefined; parameters?: string | undefined },
): Promise<Record<string, unknown>> {
  if (param !== undefined && parameters !== undefined) {
    throw usageError('give --param or --parameters, not both');
  }
  if (param !== undefined) {
    const { parameters: schema } = await findTaskType(client, type);
    return typedParameters(param, schema ?? {});
  }
  if (parameters === undefined) return {};
  const text = parameters.startsWith('@') ? await readText(parameters.slice(1), terminal.stdin) : parameters;
  return objectOf(text);
}

function objectOf(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw usageError(
      `--parameters is not JSON: ${(error as Error).message}`,
      'From a file: --parameters @FILE',
    );
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw usageError('--parameters is not valid: expected a JSON object');
}

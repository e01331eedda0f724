import type { Command } from '@commander-js/extra-typings';
import type { AgentTaskRequest } from '../../../shared/api/assistant.ts';
import type { Run } from '../../../shared/api/runs.ts';
import { proposableTypeNames } from '../../../shared/run-type.ts';
import { durationMs, wholeNumber } from '../../arguments/argument-parsers.ts';
import { typeName } from '../../arguments/task-type-name.ts';
import { given } from '../../arguments/given.ts';
import { CliError } from '../../cli-error.ts';
import type { Environment, Open } from '../../environment.ts';
import { plain } from '../../output/plain.ts';
import { proposalText } from '../../views/agent-task.ts';
import { runView } from '../../views/run.ts';
import { patiently } from '../../watch/patience.ts';
import { addToSchedule } from '../schedule/add-to-schedule.ts';

const allowedType = typeName(proposableTypeNames);
const everyMs = 1_000;

interface StayOptions {
  wait?: boolean | undefined;
  timeout?: number | undefined;
}

export function addRunAgentTask(group: Command, open: Open): void {
  group
    .command('agent-task')
    .description('Have the model of the controller work on a prompt; what it wants done waits for approval')
    .argument('<prompt>', 'what is to be found out or done, in plain words')
    .option(
      '--allow-type <type>',
      `tasks of this type run without approval; repeatable; of ${proposableTypeNames.join(', ')}, or PLUGIN.TYPE`,
      (text, before: AgentTaskRequest['allow_task_types'] | undefined) => [
        ...(before ?? []),
        allowedType(text),
      ],
    )
    .option('--max-steps <number>', 'how often the model is asked at most (default 25)', wholeNumber(1, 100))
    .option(
      '--max-tokens <number>',
      'tokens read and written at most (default 200000)',
      wholeNumber(1_000, 2_000_000),
    )
    .option('--time-limit <duration>', 'when it ends at the latest (default 1h)', durationMs)
    .option('--schedule <name>', 'run nothing now: the schedule of that name runs it from now on')
    .option('--wait', 'stay until there is an answer, and print it')
    .option('--timeout <duration>', 'with --wait: leave after this long; the work goes on', durationMs)
    .action(async (prompt, options) => {
      const environment = await open();
      const { allowType, maxSteps, maxTokens, timeLimit } = options;
      const request = {
        prompt,
        ...given({
          allow_task_types: allowType,
          max_steps: maxSteps,
          max_tokens: maxTokens,
          timeout_seconds: timeLimit === undefined ? undefined : Math.ceil(timeLimit / 1000),
        }),
      };
      if (await addToSchedule(environment, options, { kind: 'AGENT_TASK', request })) return;
      const { client, terminal } = environment;
      const { run } = await client.runs.agentTask(request, terminal.random.uuid());
      await conclude(environment, run ?? '', options);
    });
}

async function conclude(environment: Environment, id: string, options: StayOptions): Promise<void> {
  const { client, output } = environment;
  if (!options.wait) {
    output.one(await client.runs.describe(id), runView);
    output.say(`See how it goes: muster run describe ${id}, and all of it: muster run transcript ${id}`);
    return;
  }
  const run = await stay(environment, id, options.timeout);
  if (output.isJson) output.json(run);
  else if (run.agent_task?.answer) {
    output.data(`${run.agent_task.answer.split('\n').map(plain).join('\n')}\n`);
  } else output.warn(`${run.status}: ${run.agent_task?.error_message ?? 'there is no answer'}`);
  environment.exit(run.status === 'COMPLETED' ? 'ok' : 'failed');
}

/** Looks until it has ended, and tells which questions wait. */
async function stay(
  { client, output, terminal }: Environment,
  id: string,
  timeoutMs: number | undefined,
): Promise<Run> {
  const { clock, signal } = terminal;
  const until = clock.monotonic() + (timeoutMs ?? Number.POSITIVE_INFINITY);
  const told = new Set<string>();
  const trouble = (message: string | undefined) =>
    output.say(message === undefined ? 'The controller answers again' : `${message}; trying again`);
  for (;;) {
    const run = await patiently(() => client.runs.describe(id), { clock, signal, trouble });
    if (run.completed_at !== null) return run;
    for (const proposal of run.agent_task?.proposals ?? []) {
      const text = proposalText(proposal);
      if (!told.has(text)) output.say(text);
      told.add(text);
    }
    if (clock.monotonic() >= until) {
      throw new CliError('timedOut', 'it has not ended yet', {
        hint: `It goes on. Come back with: muster run describe ${id}`,
      });
    }
    await clock.sleep(everyMs, signal);
  }
}

import { oneOf } from '../arguments/argument-parsers.ts';
import { given } from '../arguments/given.ts';
import { pageOption, perPageOption } from '../arguments/paging-options.ts';
import { CliError } from '../cli-error.ts';
import type { Client } from '../client/client.ts';
import { questionView } from '../views/question.ts';
import type { GroupParts } from './groups.ts';

// Not the schema's own list: zod is not loaded to print help.
const states = ['pending', 'answered', 'expired', 'withdrawn', 'all'] as const;

/** `muster question list|show|answer`. */
export function addQuestionCommands({ command, open }: GroupParts): void {
  command
    .command('list')
    .description('List what tasks and runs ask, newest first')
    .option('--state <state>', `${states.join(', ')} (default pending)`, oneOf(states))
    .option('--task <code>', 'only what this task asks')
    .option('--run <id>', 'only what this run asks')
    .addOption(pageOption())
    .addOption(perPageOption('questions'))
    .action(async ({ state = 'pending', task, run, page, perPage }) => {
      const { client, output } = await open();
      const wanted = state === 'all' ? undefined : state;
      const query = given({ state: wanted, task, run, page, per_page: perPage });
      output.page(await client.questions.list(query), questionView);
    });
  command
    .command('show')
    .description('Show everything about one question')
    .argument('<question>', 'id, or code of the task that asks')
    .action(async (question) => {
      const { client, output } = await open();
      output.one(await client.questions.describe(await idOf(client, question)), questionView);
    });
  command
    .command('answer')
    .description('Answer a question with one of its options')
    .argument('<question>', 'id, or code of the task that asks')
    .argument('<option>', 'one of its options')
    .action(async (question, option) => {
      const { client, output } = await open();
      const answered = await client.questions.answer(await idOf(client, question), option);
      if (output.isJson) output.one(answered, questionView);
      else output.say(`answered ${answered.answer}: ${answered.prompt}`);
    });
}

const taskCode = /^[0-9A-Za-z]{8}$/;

/** A task asks one thing at a time, as a rule. */
async function idOf(client: Client, question: string): Promise<string> {
  if (!taskCode.test(question)) return question;
  const { items } = await client.questions.list({ task: question, state: 'pending' });
  const [one, ...others] = items;
  if (one === undefined) throw new CliError('notFound', `task ${question} asks nothing at the moment`);
  if (others.length === 0) return one.id;
  throw new CliError('usage', `task ${question} asks ${items.length} questions: name one by its id`, {
    hint: `muster question list --task ${question}`,
  });
}

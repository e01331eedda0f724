import type { Command } from '@commander-js/extra-typings';
import type { TaskLogLine } from '../../../shared/api/tasks.ts';
import type { Client } from '../../client/client.ts';
import type { Environment, Open } from '../../environment.ts';
import { LogFollower } from '../../watch/log-follower.ts';
import { createLogPrinter } from '../../watch/log-printer.ts';

export function addTaskLogs(group: Command, open: Open): void {
  group
    .command('logs')
    .description('Print the log of a task: its standard output on stdout, the rest on stderr')
    .argument('<task>', 'task code')
    .option('--follow', 'go on until the task has ended')
    .option('--timestamps', 'begin each line with its time')
    .action(async (code, { follow, timestamps }) => {
      const environment = await open();
      const task = await environment.client.tasks.describe(code);
      if (follow !== true && environment.output.isJson) {
        environment.output.json(await allLines(environment.client, task.task));
        return;
      }
      await print(environment, task, { follow: follow === true, timestamps: timestamps === true });
    });
}

async function print(
  { client, output, terminal }: Environment,
  { task, device_name }: { task: string; device_name: string },
  { follow, timestamps }: { follow: boolean; timestamps: boolean },
): Promise<void> {
  const onLine = createLogPrinter({ terminal, output, prefixWidth: 0, timestamps });
  const followed = { task, device_name, begun: true };
  if (!follow) {
    for (const line of await allLines(client, task)) onLine(line, followed);
    return;
  }
  const follower = new LogFollower({
    client,
    clock: terminal.clock,
    onLine,
    onTrouble: (message) =>
      output.say(message === undefined ? 'The controller answers again' : `${message}; trying again`),
  });
  try {
    await follower.run(() => ({ followed: [followed], final: true }), terminal.signal);
  } finally {
    if (terminal.signal.aborted)
      output.say(`The task goes on. Read on with: muster task logs ${task} --follow`);
  }
}

async function allLines(client: Client, code: string): Promise<TaskLogLine[]> {
  const lines: TaskLogLine[] = [];
  for (let after = 0; ; ) {
    const page = await client.tasks.logs(code, after);
    lines.push(...page.items);
    if (page.items.length === 0 || page.complete) return lines;
    after = page.next;
  }
}

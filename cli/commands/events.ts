import { MusterEvent } from '../../shared/api/events.ts';
import { wholeNumber } from '../arguments/argument-parsers.ts';
import { given } from '../arguments/given.ts';
import { listenToEvents } from '../client/event-stream.ts';
import type { ServerSentEvent } from '../client/sse-parser.ts';
import type { Environment } from '../environment.ts';
import type { Output } from '../output/output.ts';
import { plain } from '../output/plain.ts';
import type { GroupParts } from './groups.ts';

interface EventOptions {
  after?: number | undefined;
  task?: string | undefined;
  run?: string | undefined;
}

export function addEvents({ command, open }: GroupParts): void {
  command
    .option(
      '--after <cursor>',
      'begin after this event instead of now',
      wholeNumber(0, Number.MAX_SAFE_INTEGER),
    )
    .option('--task <task>', 'only what happens to this task')
    .option('--run <run>', 'only what happens to this run')
    .action(async (options) => {
      const environment = await open();
      await printEvents(environment, options);
    });
}

async function printEvents(environment: Environment, { after, task, run }: EventOptions): Promise<void> {
  const { client, terminal, output, settings } = environment;
  let cursor = after === undefined ? undefined : String(after);
  let isLost = false;
  const stream = {
    http: client.http,
    clock: terminal.clock,
    random: terminal.random,
    filter: { organization: settings.organization, ...given({ task, run }) },
    after: cursor,
  };
  const listener = {
    opened() {
      if (isLost) output.say('The controller answers again');
      isLost = false;
    },
    event(event: ServerSentEvent) {
      if (event.id !== '') cursor = event.id;
      print(output, event);
    },
    lost(error: unknown) {
      if (!isLost) output.say(`${error instanceof Error ? error.message : 'the stream ended'}; trying again`);
      isLost = true;
    },
  };
  await listenToEvents(stream, listener, terminal.signal);
  output.say(cursor === undefined ? '' : `Go on with: muster events --after ${cursor}`);
  environment.exit('interrupted');
}

function print(output: Output, { event, data }: ServerSentEvent): void {
  const parsed = MusterEvent.safeParse(json(data));
  if (output.isJson) {
    output.jsonLine(parsed.success ? parsed.data : { type: event, data: json(data) });
    return;
  }
  if (event === 'reset') {
    output.warn('events were missed: the controller keeps them no longer; read the state anew');
    return;
  }
  if (!parsed.success) {
    output.data(`${plain(event)} ${plain(data)}\n`);
    return;
  }
  const { at, type, device, task, run } = parsed.data;
  const about = [device, task, task === null ? run : null].filter((word) => word !== null);
  output.data(
    `${output.paint.time(at)}  ${type.padEnd(22)}  ${plain(about.join(' '))}${detail(parsed.data.data)}\n`,
  );
}

const detail = (data: Record<string, unknown>): string =>
  Object.keys(data).length === 0 ? '' : `  ${plain(JSON.stringify(data))}`;

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

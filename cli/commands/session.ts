import { setTimeout as sleep } from 'node:timers/promises';
import { text as readText } from 'node:stream/consumers';
import { CliError } from '../cli-error.ts';
import { oneOf, wholeNumber } from '../arguments/argument-parsers.ts';
import { given } from '../arguments/given.ts';
import { pageOption, perPageOption } from '../arguments/paging-options.ts';
import { sessionView } from '../views/session.ts';
import { parseRecording, playRecording } from '../tunnel/recording.ts';
import type { GroupParts } from './groups.ts';

const states = ['waiting', 'ready', 'open', 'closed'] as const;

/** `muster session list|describe|close|play`. */
export function addSessionCommands({ command, open }: GroupParts): void {
  command
    .command('list')
    .description('List remote sessions, newest first')
    .option('--state <state>', states.join(', '), oneOf(states))
    .option('--device <name>', 'name of the device')
    .addOption(pageOption())
    .addOption(perPageOption('sessions'))
    .action(async ({ state, device, page, perPage }) => {
      const { client, output } = await open();
      output.page(await client.sessions.list(given({ state, device, page, per_page: perPage })), sessionView);
    });
  command
    .command('describe')
    .description('Describe one session')
    .argument('<session>', 'id, or code of its task')
    .action(async (session) => {
      const { client, output } = await open();
      output.one(await client.sessions.describe(session), sessionView);
    });
  command
    .command('close')
    .description('End a session, whoever opened it')
    .argument('<session>', 'id, or code of its task')
    .action(async (session) => {
      const { client, output } = await open();
      const closed = await client.sessions.close(session);
      if (output.isJson) output.one(closed, sessionView);
      else output.say(`session ${closed.session} to ${closed.device_name} is being closed`);
    });
  command
    .command('play')
    .description('Replay the recorded shell of a session')
    .argument('<session>', 'id, or code of its task')
    .option('--recording <number>', 'which one, when there are several', wholeNumber(1, 100))
    .option('--speed <factor>', 'how many times as fast', wholeNumber(1, 100))
    .option('--raw', 'print the asciicast itself')
    .action(async (session, { recording = 1, speed = 1, raw }) => {
      const { client, terminal } = await open();
      const { recordings } = await client.sessions.describe(session);
      const digest = recordings[recording - 1];
      if (digest === undefined) {
        throw new CliError(
          'notFound',
          `session ${session} has ${recordings.length} recordings, asked for number ${recording}`,
          {
            hint: 'Shells are recorded with muster connect --record, or when the device says so',
          },
        );
      }
      const response = await client.sessions.recording(session, digest, terminal.signal);
      const cast = await readText(response.body as unknown as AsyncIterable<Uint8Array> as never);
      if (raw) terminal.stdout.write(cast);
      else {
        const wait = (ms: number) => sleep(ms, undefined, { signal: terminal.signal }).then(() => undefined);
        await playRecording(parseRecording(cast), {
          speed,
          wait,
          write: (text) => void terminal.stdout.write(text),
        });
      }
    });
}

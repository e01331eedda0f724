import { Option } from '@commander-js/extra-typings';
import { CliError, usageError } from '../cli-error.ts';
import type { Environment } from '../environment.ts';
import { type Forward, listenForward, parseForward } from '../tunnel/forward.ts';
import { lasts, OperatorSession } from '../tunnel/operator-session.ts';
import { runShell } from '../tunnel/shell.ts';
import type { GroupParts } from './groups.ts';
import { sessionOptions, type SessionOptions, wishOf } from './session/session-options.ts';

/** `muster connect DEVICE`: a shell; with -L ports of the device's network on this machine. */
export function addConnect({ command, open }: GroupParts): void {
  sessionOptions(command)
    .argument('<device>', 'name of the device')
    .addOption(
      new Option(
        '-L, --forward <[bind:]port:host:hostport>',
        'bring a port that the device reaches here; repeatable',
      ).argParser((text: string, before: Forward[] | undefined) => [...(before ?? []), parseForward(text)]),
    )
    .option('--record', 'record the shell, to be replayed with muster session play')
    .action(async (device, options) => {
      const environment = await open();
      const forwards = options.forward ?? [];
      if (forwards.length === 0) await shell(environment, device, options);
      else await forward(environment, device, { forwards, options });
    });
}

async function shell(
  environment: Environment,
  device: string,
  options: SessionOptions & { record?: true | undefined },
) {
  const { terminal, exit } = environment;
  if (terminal.stdin.isTTY !== true) {
    throw usageError('a shell needs a terminal', `For one command: muster exec ${device} -- COMMAND`);
  }
  await using session = await OperatorSession.open(environment, {
    ...wishOf(device, options),
    ...(options.record ? { record: true } : {}),
  });
  const end = await runShell(session, terminal);
  if (end.exitCode === undefined) {
    throw new CliError('failed', `the session ended: ${end.reason}`, { code: 'session_ended' });
  }
  exit(end.exitCode);
}

async function forward(
  environment: Environment,
  device: string,
  { forwards, options }: { forwards: Forward[]; options: SessionOptions },
): Promise<void> {
  const { terminal, output } = environment;
  await using session = await OperatorSession.open(environment, wishOf(device, options));
  using listening = new DisposableStack();
  for (const one of forwards) {
    const server = await listenForward(session, one, (message) => output.warn(message));
    listening.defer(() => server.close());
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : one.port;
    output.say(`${one.bind}:${port} is ${one.host}:${one.hostPort} of ${device}`);
  }
  output.say('Ctrl-C ends the session');
  await lasts(session, terminal.signal);
}

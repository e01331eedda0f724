import { pipeline } from 'node:stream/promises';
import type { Writable } from 'node:stream';
import { wholeNumber } from '../arguments/argument-parsers.ts';
import { CliError } from '../cli-error.ts';
import { OperatorSession } from '../tunnel/operator-session.ts';
import type { GroupParts } from './groups.ts';
import { sessionOptions, wishOf } from './session/session-options.ts';

/** `muster proxy DEVICE PORT`: a port of the device on standard input and output, for `ssh -o ProxyCommand`. */
export function addProxy({ command, open }: GroupParts): void {
  sessionOptions(command)
    .argument('<device>', 'name of the device; what follows a dot (edge-1.muster) is left out')
    .argument('<port>', 'port', wholeNumber(1, 65_535))
    .option('--host <host>', 'as the device reaches it', '127.0.0.1')
    .action(async (device, port, options) => {
      const environment = await open();
      const { terminal } = environment;
      await using session = await OperatorSession.open(
        environment,
        wishOf(device.replace(/\.muster$/, ''), options),
      );
      const stream = session.stream({ service: 'tcp', host: options.host, port });
      terminal.signal.addEventListener('abort', () => stream.destroy(), { once: true });
      const up = pipeline(terminal.stdin, stream).catch(() => undefined); // what comes down decides
      try {
        await pipeline(stream, terminal.stdout as unknown as Writable, { end: false });
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        throw new CliError('failed', `${options.host}:${port} of ${device}: ${reason}`, { cause: error });
      } finally {
        terminal.stdin.destroy();
      }
      await up;
    });
}

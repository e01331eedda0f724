import { randomInt } from 'node:crypto';
import { connect } from 'node:net';
import { constants } from 'node:os';
import { createInterface } from 'node:readline';
import type { CommandEnd, CommandOptions } from '../../harness/appliance-command.ts';
import { until } from '../../harness/until.ts';

interface Answer {
  return?: unknown;
  error?: { desc: string };
}

interface Status {
  exited: boolean;
  exitcode?: number;
  signal?: number;
  'out-data'?: string;
  'err-data'?: string;
}

/** An emulated guest is slow to answer, and each question costs it time. */
const answerMs = 30_000;
const askEveryMs = 200;

/** Programs in a virtual machine, whatever its network does: qemu-guest-agent on a port of its own. */
export class GuestAgent {
  readonly #path: string;

  constructor(socketPath: string) {
    this.#path = socketPath;
  }

  /** Runs a program to its end. Throws when it takes longer than `timeoutMs`. */
  async exec(argv: string[], options: CommandOptions = {}): Promise<CommandEnd> {
    const [path = '', ...arg] = argv;
    const { timeoutMs = 180_000, env = {}, input } = options;
    const { pid } = (await this.#call('guest-exec', {
      path,
      arg,
      env: Object.entries(env).map(([name, value]) => `${name}=${value}`),
      'capture-output': true,
      ...(input === undefined ? {} : { 'input-data': Buffer.from(input).toString('base64') }),
    })) as { pid: number };
    const ended = async () => {
      const status = (await this.#call('guest-exec-status', { pid })) as Status;
      return status.exited ? status : undefined;
    };
    const limits = { deadlineMs: timeoutMs, everyMs: askEveryMs };
    try {
      return commandEnd(await until(`${argv.join(' ').slice(0, 300)} ends`, ended, limits));
    } catch (error) {
      await this.#call('guest-exec', { path: '/bin/kill', arg: ['-9', `${pid}`] }).catch(() => {});
      throw error;
    }
  }

  /** One question on a connection of its own; what an earlier one left unanswered is skipped. */
  async #call(execute: string, args: object): Promise<unknown> {
    const socket = connect(this.#path);
    socket.setTimeout(answerMs, () =>
      socket.destroy(new Error(`the guest agent did not answer ${execute} within ${answerMs} ms`)),
    );
    const say = (message: object) => socket.write(`${JSON.stringify(message)}\n`);
    const id = randomInt(1, 2 ** 31);
    let synchronous = false;
    try {
      socket.write(Buffer.of(0xff));
      say({ execute: 'guest-sync-delimited', arguments: { id } });
      for await (const line of createInterface({ input: socket })) {
        const answer = JSON.parse(line.slice(line.indexOf('{'))) as Answer;
        if (synchronous) return resultOf(execute, answer);
        if (answer.return !== id) continue;
        synchronous = true;
        say({ execute, arguments: args });
      }
      throw new Error(`the machine went off before it answered ${execute}`);
    } finally {
      socket.destroy();
    }
  }
}

function resultOf(execute: string, answer: Answer): unknown {
  if (answer.error) throw new Error(`${execute}: ${answer.error.desc}`);
  return answer.return;
}

function commandEnd(status: Status): CommandEnd {
  const text = (base64 = '') => Buffer.from(base64, 'base64').toString();
  const signal = Object.entries(constants.signals).find(([, number]) => number === status.signal)?.[0];
  return {
    exitCode: status.exitcode ?? null,
    signal: (signal as NodeJS.Signals | undefined) ?? null,
    stdout: text(status['out-data']),
    stderr: text(status['err-data']),
  };
}

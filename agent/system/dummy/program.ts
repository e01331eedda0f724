/** What a dummy process does next. */
export type Step =
  | { print: string; stream?: 'stdout' | 'stderr' }
  | { sleepMs: number }
  | { exitCode: number }
  | { killedBy: string }
  /** Asks a person and prints the answer; ends with exit code 3 when there is none. */
  | { ask: { prompt: string; options: string[]; safe?: string } };

/**
 * The little language dummy processes understand, one instruction per line or `;`, a subset of the shell:
 * `echo TEXT`, `echo TEXT >&2`, `sleep SECONDS`, `exit CODE`, `kill SIGNAL` (ends by that signal), `ask PROMPT? OPTION … [--safe OPTION]` (prints the answer), `ping … -c COUNT … HOST` (every echo is answered). Anything else does nothing.
 */
export function parseProgram(text: string): Step[] {
  return text.split(/[\n;]/).flatMap((line) => {
    const [verb = '', ...rest] = line.trim().split(/\s+/);
    const argument = rest.join(' ');
    switch (verb) {
      case 'echo':
        return argument.endsWith('>&2')
          ? [{ print: `${argument.slice(0, -3).trim()}\n`, stream: 'stderr' as const }]
          : [{ print: `${argument}\n` }];
      case 'sleep':
        return [{ sleepMs: Number(argument) * 1000 || 0 }];
      case 'exit':
        return [{ exitCode: Number(argument) || 0 }];
      case 'kill':
        return [{ killedBy: argument }];
      case 'ask':
        return [ask(argument)];
      case 'ping':
        return ping(rest);
      default:
        return [];
    }
  });
}

function ask(argument: string): Step {
  const [, prompt = '', choice = '', safe] = /^(.*?\?) (.*?)(?: --safe (.*))?$/.exec(argument) ?? [];
  return { ask: { prompt, options: choice.split(' '), ...(safe === undefined ? {} : { safe }) } };
}

function ping(rest: string[]): Step[] {
  const host = rest.at(-1) ?? '';
  const count = Number(rest[rest.indexOf('-c') + 1]) || 1;
  const replies = Array.from({ length: count }, (_, index): Step[] => [
    { sleepMs: index === 0 ? 0 : 1000 },
    { print: `64 bytes from ${host}: icmp_seq=${index + 1} ttl=64 time=1.00 ms\n` },
  ]);
  const summary =
    `\n--- ${host} ping statistics ---\n${count} packets transmitted, ${count} received, 0% packet loss, time 0ms\n` +
    'rtt min/avg/max/mdev = 1.000/1.000/1.000/0.000 ms\n';
  return [{ print: `PING ${host} (${host}) 56(84) bytes of data.\n` }, ...replies.flat(), { print: summary }];
}

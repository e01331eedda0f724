import { type Logger, pino } from 'pino';

export type { Logger } from 'pino';

/** journald's level prefix (sd-daemon(3)), which systemd strips from each line. */
const journalPrefix: Record<number, string> = {
  10: '<7>',
  20: '<7>',
  30: '<6>',
  40: '<4>',
  50: '<3>',
  60: '<2>',
};

/** One JSON object a line on stdout. Under systemd each line carries journald's level prefix. Secrets are removed here, by path. */
export function createLogger(options: { name: string; level: string; journal: boolean }): Logger {
  const settings = {
    name: options.name,
    level: options.level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    redact: {
      paths: [
        'authorization',
        'token',
        'secret',
        'password',
        '*.authorization',
        '*.token',
        '*.secret',
        '*.password',
        'req.headers.authorization',
        'parameters.env',
        'parameters.stdin',
      ],
      censor: '[removed]',
    },
  };
  if (!options.journal) return pino(settings);

  const prefixed = {
    lastLevel: 30,
    write(line: string) {
      process.stdout.write((journalPrefix[this.lastLevel] ?? '<6>') + line);
    },
    [Symbol.for('pino.metadata')]: true,
  };
  return pino(settings, prefixed as unknown as NodeJS.WritableStream);
}

/** A logger that says nothing, for tests. */
export const silentLogger = (): Logger => pino({ level: 'silent' });

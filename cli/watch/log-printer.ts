import type { TaskLogLine } from '../../shared/api/tasks.ts';
import type { Output } from '../output/output.ts';
import { plain } from '../output/plain.ts';
import type { OutStream, Terminal } from '../terminal.ts';
import type { Followed, OnLogLine } from './log-follower.ts';

export interface LogPrinterParts {
  terminal: Terminal;
  output: Output;
  /** Width of the longest device name when several devices speak; 0: lines stand alone. */
  prefixWidth: number;
  timestamps?: boolean;
}

/** Prints a device’s stdout on stdout and everything else on stderr, as if the command had run here. JSON: one object a line. */
export function createLogPrinter({ terminal, output, prefixWidth, timestamps }: LogPrinterParts): OnLogLine {
  if (output.isJson) {
    return (line, { task, device_name }) => output.jsonLine({ task, device_name, ...line });
  }
  return (line, followed) => {
    const stream = line.stream === 'stdout' ? terminal.stdout : terminal.stderr;
    const time = timestamps ? `${output.paint.time(line.at)} ` : '';
    const prefix = prefixWidth > 0 ? `${followed.device_name.padEnd(prefixWidth)} | ` : '';
    stream.write(`${prefix}${time}${mark(line)}${safeFor(stream, line.text)}\n`);
  };
}

/** Programs get a device’s bytes as they are; a terminal must not obey them. */
const safeFor = (stream: OutStream, text: string): string => (stream.isTTY ? plain(text) : text);

const mark = ({ stream }: TaskLogLine): string => {
  if (stream === 'agent') return '[agent] ';
  return stream === 'gap' ? '[gap] ' : '';
};

export const widestName = (tasks: Pick<Followed, 'device_name'>[]): number =>
  tasks.length > 1 ? Math.max(...tasks.map(({ device_name }) => device_name.length)) : 0;

import { version } from '../version.ts';
import type { GroupParts } from './groups.ts';

export function addVersion({ command, terminal, flags }: GroupParts): void {
  command.action(() => {
    const { format, json } = flags();
    const asJson = json ?? (format ?? terminal.env.MUSTER_OUTPUT_FORMAT) === 'json';
    terminal.stdout.write(
      asJson ? `${JSON.stringify({ version, node: process.version })}\n` : `muster ${version}\n`,
    );
  });
}

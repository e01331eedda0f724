import { version } from '../version.ts';
import type { GroupParts } from './groups.ts';

export function addVersion({ command, terminal }: GroupParts): void {
  command.action(() => {
    const { format, json } = command.optsWithGlobals<{ format?: string; json?: true }>();
    const asJson = json ?? (format ?? terminal.env.MUSTER_OUTPUT_FORMAT) === 'json';
    terminal.stdout.write(
      asJson ? `${JSON.stringify({ version, node: process.version })}\n` : `muster ${version}\n`,
    );
  });
}

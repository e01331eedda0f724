import type { Command } from '@commander-js/extra-typings';
import { download } from '../../archive/download.ts';
import { progressLine } from '../../archive/progress-line.ts';
import type { Open } from '../../environment.ts';
import { bytesText } from '../../output/bytes.ts';

const without = `
What it is can be read without Muster:
  age -d -i KEY FILE | zstd -d | tar tv`;

export function addBackupDownload(group: Command, open: Open): void {
  group
    .command('download')
    .description('Store an archive as a file, encrypted as it is; a download that broke goes on')
    .argument('<archive>', 'id of the archive')
    .requiredOption('-O, --output <file>', 'where to; a file that is there is never replaced')
    .addHelpText('after', without)
    .action(async (id, { output: file }) => {
      const { client, output, terminal } = await open();
      const archive = await client.backups.describe(id);
      const line = progressLine(terminal, output, { what: file, size: archive.size });
      try {
        const { resumed_at, bytes } = await download({ client, terminal, archive, ...line }, file);
        line.end();
        if (output.isJson)
          output.json({ archive: archive.id, file, bytes, resumed_at, sha256: archive.sha256 });
        else if (output.quiet) output.data(`${file}\n`);
        else output.say(`${file}: ${bytesText(bytes)}, digest as signed${resumedText(resumed_at, bytes)}`);
      } finally {
        line.end();
      }
    });
}

function resumedText(resumedAt: number, bytes: number): string {
  if (resumedAt === bytes) return '; it was there already';
  return resumedAt === 0 ? '' : `; went on at ${bytesText(resumedAt)}`;
}

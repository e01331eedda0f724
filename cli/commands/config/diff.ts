import type { Command } from '@commander-js/extra-typings';
import type { z } from 'zod';
import type { FileDiff, SnapshotDiff } from '../../../shared/api/configs.ts';
import { given } from '../../arguments/given.ts';
import type { Environment, Open } from '../../environment.ts';
import { diffText } from '../../output/diff.ts';
import { plain } from '../../output/plain.ts';
import { version } from './version.ts';

export function addConfigDiff(group: Command, open: Open): void {
  group
    .command('diff')
    .description('Show how two versions of a device’s configuration differ')
    .argument('<device>', 'name or UUID')
    .option('--from <version>', 'older one (default: the one before)', version)
    .option('--to <version>', 'newer one (default: the latest)', version, 'latest')
    .action(async (device, { from, to }) => {
      const environment = await open();
      const diff = await environment.client.configs.diff(device, { to, ...given({ from }) });
      if (environment.output.isJson) environment.output.json(diff);
      else show(environment, diff);
    });
}

function show({ output, terminal }: Environment, diff: z.output<typeof SnapshotDiff>): void {
  for (const file of diff.files) {
    output.data(
      `${output.paint.strong(plain(`${file.path} (${file.unit}) ${says[file.change] ?? file.change}`))}\n`,
    );
    if (file.diff !== null && file.diff !== '')
      output.data(diffText(file.diff, output.paint, terminal.stdout));
    else if (file.note !== null) output.data(`  ${plain(file.note)}\n`);
  }
  const before = diff.from === null ? 'nothing' : `version ${diff.from}`;
  const files = diff.files.length === 1 ? '1 difference' : `${diff.files.length} differences`;
  output.say(`${diff.device_name}: ${before} to version ${diff.to}: ${files}`);
}

const says: Record<z.output<typeof FileDiff>['change'], string> = {
  create: 'is new',
  change: 'changed',
  mode: 'changed mode or owner',
  delete: 'is gone',
};

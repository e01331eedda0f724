import { stat } from 'node:fs/promises';
import type { Command } from '@commander-js/extra-typings';
import { agentPackage } from '../../../shared/release.ts';
import { usageError } from '../../cli-error.ts';
import type { Open } from '../../environment.ts';
import { textFile } from '../../text-file.ts';
import { releaseView } from '../../views/release.ts';

const maxSignatureBytes = 4096;

export function addReleaseAdd(group: Command, open: Open): void {
  group
    .command('add')
    .description(
      'Keep a release of the agent or of a plugin; the controller takes it when a key that it trusts signed it',
    )
    .argument('<file>', 'the archive, as it was signed')
    .option('--signature <file>', 'the signature, as minisign makes it (default: <file>.minisig)')
    .action(async (file, { signature }) => {
      const found = await stat(file).catch((error: Error) => error);
      if (found instanceof Error) throw usageError(`cannot read ${file}: ${found.message}`);
      const text = await textFile(signature ?? `${file}.minisig`, maxSignatureBytes);
      const { client, output } = await open();
      const release = await client.releases.add(file, text);
      output.one(release, releaseView);
      const { name = agentPackage, version } = release;
      const what = name === agentPackage ? '' : ` ${name}`;
      output.say(`Install it: muster run plugin-install${what} --version ${version} --device NAME --wait`);
    });
}

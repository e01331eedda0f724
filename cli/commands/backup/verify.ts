import type { Command } from '@commander-js/extra-typings';
import type { Archive } from '../../../shared/api/backups.ts';
import { openArchive } from '../../archive/open-archive.ts';
import { usageError } from '../../cli-error.ts';
import type { Environment, Open } from '../../environment.ts';
import { verifiedView } from '../../views/verified.ts';
import { drillSelection, runDrill } from './drill.ts';

const levels = `
Without a key the controller reads the archive again: size and digest (level stored).
With an escrow key it is opened here: the device's signature, decryption, every file (readable).
With --drill a device gets the files, encrypted for it, and checks them as if to apply them (restorable).

A key that is itself encrypted: age -d KEY.age | muster backup verify ARCHIVE --identity-file -`;

const verifyCommand = (group: Command) =>
  group
    .command('verify')
    .description('Prove an archive: stored whole, readable with an escrow key, restorable on a device')
    .argument('<archive>', 'id of the archive')
    .option('--identity-file <file>', 'file of the escrow key (AGE-SECRET-KEY-1…); - for standard input')
    .option('--drill <device>', 'let this device check the files in a dry run; nothing of it changes')
    .option('--device-key <fingerprint>', 'the key that must have signed it; `device describe` shows it')
    .option('--file <file>', 'read this downloaded archive instead of downloading')
    .addHelpText('after', levels);

type VerifyOptions = ReturnType<ReturnType<typeof verifyCommand>['opts']>;

export function addBackupVerify(group: Command, open: Open): void {
  verifyCommand(group).action(async (id, options) => {
    const { identityFile, ...others } = options;
    if (identityFile === undefined && Object.keys(others).length > 0) {
      throw usageError('--drill, --device-key and --file belong to --identity-file');
    }
    const environment = await open();
    if (identityFile === undefined) await byController(environment, id);
    else await byKey(environment, await environment.client.backups.describe(id), { ...others, identityFile });
  });
}

async function byController({ client, output, exit }: Environment, id: string): Promise<void> {
  const answer = await client.backups.verify(id);
  if (output.isJson) output.json(answer);
  else if (!answer.ok) output.warn(`${answer.archive}: ${answer.message}`);
  else
    output.say(`${answer.archive}: ${answer.message || 'stored as the device sealed it'} (${answer.level})`);
  if (!answer.ok) exit('failed');
}

async function byKey(
  environment: Environment,
  archive: Archive,
  options: VerifyOptions & { identityFile: string },
): Promise<void> {
  const { client, output } = environment;
  const { drill } = options;
  const selection = await drillSelection(environment, archive, drill);
  const opened = await openArchive(environment, archive, { ...options, keep: selection.keep });
  const { manifest, files, plainBytes, seal } = opened;
  const task = drill === undefined ? undefined : await runDrill(environment, { archive, opened, selection });
  const { level } = drill === undefined ? archive : await client.backups.describe(archive.id);
  output.one(
    {
      archive: archive.id,
      ok: true,
      level,
      device_name: manifest.device_name,
      made_at: manifest.made_at,
      profile: manifest.profile,
      key_fingerprint: seal.fingerprint,
      files,
      plain_bytes: plainBytes,
      drill: task === undefined ? null : { task, files: selection.chosen().length, left: selection.left() },
    },
    verifiedView,
  );
}

import type { Command } from '@commander-js/extra-typings';
import type { Archive } from '../../../shared/api/backups.ts';
import type { Device } from '../../../shared/api/devices.ts';
import { durationMs, oneOf, repeatable, wholeNumber } from '../../arguments/argument-parsers.ts';
import { interfacePair } from '../../archive/interface-map.ts';
import { openArchive } from '../../archive/open-archive.ts';
import { checkLimits, recipientOfDevice } from '../../archive/restore-files.ts';
import type { MappedFile } from '../../archive/restore-files.ts';
import { secretFilesOf } from '../../archive/secret-files.ts';
import { select } from '../../archive/selection.ts';
import type { Selection } from '../../archive/selection.ts';
import { usageError } from '../../cli-error.ts';
import type { Environment, Open } from '../../environment.ts';
import { confirmLasting, requireYes } from '../../prompt.ts';
import { syncOutcomeView } from '../../views/sync-outcome.ts';
import { conclude } from '../run/conclude.ts';
import { sendRestore } from './send-restore.ts';

const examples = `
The archive is opened and checked here as a whole before anything is sent. The files travel encrypted for the
device, and are applied as every configuration is: what cuts it off from its controller undoes itself.

Examples:
  muster backup restore ARCHIVE --device fw-1 --identity-file escrow.key --dry-run --wait
  muster backup restore ARCHIVE --device fw-1 --identity-file escrow.key --path '/etc/nftables*' --wait
  muster backup restore ARCHIVE --device fw-new --identity-file escrow.key --with-secrets --interface-map eth0=ens1`;

const restoreCommand = (group: Command) =>
  group
    .command('restore')
    .description('Bring files of an archive back to a device, as a transaction')
    .argument('<archive>', 'id of the archive')
    .requiredOption(
      '--device <name>',
      'where to: the device of the archive, or another with the same profile',
    )
    .requiredOption('--identity-file <file>', 'file of the escrow key; - for standard input')
    .optionsGroup('What:')
    .option(
      '--path <pattern>',
      'only these: * within a name, ** across, a folder with all in it; repeatable',
      repeatable,
    )
    .option('--with-secrets', 'secret files and the identity of the machine too')
    .option('--interface-map <old=new>', 'write this name of an interface instead; repeatable', interfacePair)
    .option('--device-key <fingerprint>', 'the key that must have signed it')
    .option('--file <file>', 'read this downloaded archive instead of downloading')
    .optionsGroup('How:')
    .option('--dry-run', 'the device checks everything and stops before it touches anything')
    .option(
      '--on-drift <what>',
      'when the device was changed by hand: overwrite (default) or refuse',
      oneOf(['refuse', 'overwrite']),
    )
    .option('--confirm-seconds <number>', 'how long it may take until it is confirmed', wholeNumber(30, 3600))
    .option('-y, --yes', 'do not ask; needed without a terminal')
    .optionsGroup('Staying with it:')
    .option('--wait', 'stay until it has ended; the exit code says how')
    .option('--follow', 'as --wait, and print the log as it grows')
    .option('--timeout <duration>', 'with --wait: leave after this long; it goes on', durationMs)
    .optionsGroup('Options:')
    .addHelpText('after', examples);

type RestoreOptions = ReturnType<ReturnType<typeof restoreCommand>['opts']>;

export function addBackupRestore(group: Command, open: Open): void {
  restoreCommand(group).action(async (id, options) => {
    const environment = await open();
    const { client, terminal } = environment;
    if (options.timeout !== undefined && !options.wait && !options.follow) {
      throw usageError('--timeout belongs to --wait');
    }
    const action = `restoring changes ${options.device}`;
    if (!options.dryRun) requireYes(terminal, { yes: options.yes === true, action });
    const [archive, device] = await Promise.all([
      client.backups.describe(id),
      client.devices.describe(options.device),
    ]);
    await restore(environment, { archive, device, options });
  });
}

interface Wanted {
  archive: Archive;
  device: Device;
  options: RestoreOptions;
}

async function restore(environment: Environment, { archive, device, options }: Wanted): Promise<void> {
  const recipient = recipientOfDevice(device);
  const { opened, selection } = await openSelected(environment, archive, options);
  tellSelection(environment, selection);
  if (!options.dryRun) await ask(environment, { archive, device, options, files: selection.chosen.length });
  const { answer, mapped } = await sendRestore(environment, {
    archive,
    opened,
    device: { name: device.name, recipient },
    chosen: selection.chosen,
    interfaces: options.interfaceMap ?? {},
    dryRun: options.dryRun === true,
    onDrift: options.onDrift ?? 'overwrite',
    confirmSeconds: options.confirmSeconds,
  });
  tellMapped(environment, mapped);
  const restored = selection.chosen.map(({ path, unit }) => ({ path, unit }));
  const told = { ...answer, archive: archive.id, restored, left: selection.left };
  await conclude(environment, told, options, { view: syncOutcomeView, evenAfterLogs: true });
}

async function openSelected(environment: Environment, archive: Archive, options: RestoreOptions) {
  let selection: Selection = { chosen: [], left: [] };
  const opened = await openArchive(environment, archive, {
    ...options,
    async keep(manifest) {
      selection = select(manifest, {
        paths: options.path,
        withSecrets: options.withSecrets === true,
        isSecret: await secretFilesOf(manifest.profile.id),
      });
      if (selection.chosen.length === 0) tellSelection(environment, selection);
      checkLimits(selection.chosen, archive.id);
      return new Set(selection.chosen.map(({ path }) => path));
    },
  });
  return { opened, selection };
}

const shownFiles = 40;

function tellSelection({ output }: Environment, { chosen, left }: Selection): void {
  for (const { path, unit } of chosen.slice(0, shownFiles)) output.say(`  ${path} (${unit})`);
  if (chosen.length > shownFiles) output.say(`  and ${chosen.length - shownFiles} more`);
  for (const { path, reason } of left) output.say(`Left out ${path}: ${reason}`);
}

async function ask(
  { terminal, output }: Environment,
  { archive, device, options, files }: Wanted & { files: number },
): Promise<void> {
  const made = output.paint.time(archive.made_at);
  const what = files === 1 ? '1 file' : `${files} files`;
  const other = archive.device_uuid === device.uuid ? '' : ` of ${archive.device_name}, another device,`;
  await confirmLasting(terminal, {
    yes: options.yes === true,
    action: `restoring changes ${device.name}`,
    question: `Restore ${what}${other} as they were at ${made} on ${device.name}?`,
  });
}

function tellMapped({ output }: Environment, mapped: MappedFile[]): void {
  for (const { path, changed } of mapped) {
    if (changed) output.say(`${path}: names of interfaces replaced`);
  }
}

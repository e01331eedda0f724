import type { Archive } from '../../../shared/api/backups.ts';
import { checkLimits, recipientOfDevice } from '../../archive/restore-files.ts';
import { select } from '../../archive/selection.ts';
import type { RestorableFile, Selection } from '../../archive/selection.ts';
import type { Unsealed } from '../../archive/unseal.ts';
import { CliError } from '../../cli-error.ts';
import type { Environment } from '../../environment.ts';
import { stay } from '../run/conclude.ts';
import { messageOf } from '../../views/task.ts';
import { sendRestore } from './send-restore.ts';

/** What a drill sends: all that can be restored. Known once the archive is open. */
export interface DrillSelection {
  device: { name: string; recipient: string } | undefined;
  keep(manifest: Unsealed['manifest']): ReadonlySet<string>;
  chosen(): RestorableFile[];
  left(): Selection['left'];
}

/** Finds the device before anything is downloaded. */
export async function drillSelection(
  { client }: Environment,
  archive: Archive,
  device: string | undefined,
): Promise<DrillSelection> {
  if (device === undefined) {
    return { device: undefined, keep: () => new Set(), chosen: () => [], left: () => [] };
  }
  const found = await client.devices.describe(device);
  const recipient = recipientOfDevice(found);
  let selection: Selection = { chosen: [], left: [] };
  return {
    device: { name: found.name, recipient },
    keep(manifest) {
      // Nothing is applied, so that secrets are safe there: only the device can read them, and it stops before it writes.
      selection = select(manifest, { withSecrets: true, isSecret: () => false });
      checkLimits(selection.chosen, archive.id);
      return new Set(selection.chosen.map(({ path }) => path));
    },
    chosen: () => selection.chosen,
    left: () => selection.left,
  };
}

/** Lets the device check the files and, when it accepted them, records that the archive is restorable. Returns the task. */
export async function runDrill(
  environment: Environment,
  { archive, opened, selection }: { archive: Archive; opened: Unsealed; selection: DrillSelection },
): Promise<string> {
  const { client, output } = environment;
  const { device } = selection;
  if (device === undefined) throw new Error('a drill needs a device');
  const { answer } = await sendRestore(environment, {
    archive,
    opened,
    device,
    chosen: selection.chosen(),
    interfaces: {},
    dryRun: true,
    onDrift: 'overwrite',
  });
  output.say(`${device.name} checks ${selection.chosen().length} files in a dry run`);
  const [task] = await stay(environment, answer, {});
  if (task === undefined) throw new CliError('failed', 'the controller made no task for the drill');
  if (task.status !== 'COMPLETED') {
    throw new CliError(
      'failed',
      `archive ${archive.id} is readable, but ${device.name} does not accept it: ${messageOf(task)}`,
      { code: task.error_code ?? 'not_restorable', hint: `See: muster task describe ${task.task}` },
    );
  }
  await client.backups.restorable(archive.id, { task: task.task, files: selection.chosen().length });
  return task.task;
}

import type { Archive } from '../../../shared/api/backups.ts';
import type { RestoreRequest } from '../../../shared/api/sync.ts';
import type { RunAnswer } from '../../../shared/api/tasks.ts';
import { given } from '../../arguments/given.ts';
import { filesForDevice } from '../../archive/restore-files.ts';
import type { MappedFile } from '../../archive/restore-files.ts';
import type { RestorableFile } from '../../archive/selection.ts';
import type { Unsealed } from '../../archive/unseal.ts';
import { CliError } from '../../cli-error.ts';
import type { Environment } from '../../environment.ts';

export interface Restoration {
  archive: Archive;
  opened: Pick<Unsealed, 'manifest' | 'kept'>;
  device: { name: string; recipient: string };
  chosen: RestorableFile[];
  interfaces: Record<string, string>;
  dryRun: boolean;
  onDrift: RestoreRequest['on_drift'];
  confirmSeconds?: number | undefined;
}

/** Encrypts the files for the device and asks for the SYNC that writes them. */
export async function sendRestore(
  { client, terminal }: Environment,
  restoration: Restoration,
): Promise<{ answer: RunAnswer; mapped: MappedFile[] }> {
  const { archive, opened, device, chosen, interfaces } = restoration;
  const { files, mapped } = await filesForDevice(chosen, opened.kept, {
    recipient: device.recipient,
    interfaces,
  });
  const answer = await client.sync.restore(
    {
      device: device.name,
      archive: archive.id,
      profile: opened.manifest.profile,
      files,
      dry_run: restoration.dryRun,
      on_drift: restoration.onDrift,
      ...given({ confirm_seconds: restoration.confirmSeconds }),
    },
    terminal.random.uuid(),
  );
  if (answer.total === 0) {
    const reason = answer.skipped[0]?.reason ?? 'the controller made no task';
    throw new CliError('failed', `${device.name}: ${reason}`, { code: 'skipped', detail: answer });
  }
  return { answer, mapped };
}

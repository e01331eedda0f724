import type { Device } from '../../../shared/api/devices.ts';
import { CliError } from '../../cli-error.ts';
import type { Environment } from '../../environment.ts';
import { deviceView } from '../../views/device.ts';

/** One by one, so that one device that cannot be changed does not stop the others; then tells which ones could not. */
export async function changeEach(
  { output, exit }: Environment,
  names: string[],
  change: (name: string) => Promise<Device>,
): Promise<void> {
  const changed: Device[] = [];
  let failures = 0;
  for (const name of names) {
    try {
      changed.push(await change(name));
    } catch (error) {
      if (!(error instanceof CliError) || error.exit === 'unreachable' || error.exit === 'forbidden')
        throw error;
      output.warn(`${name}: ${error.message}`);
      failures += 1;
    }
  }
  output.list(changed, deviceView);
  if (failures > 0) exit(changed.length === 0 ? 'failed' : 'someFailed');
}

import { AppError } from '../../shared/errors.ts';
import { auditEntry, type Author } from '../content/audit-entry.ts';
import type { SyncParts } from './parts.ts';

/** Allows contents that were rolled back on a device to be sent again: one, or all. Returns those that were not allowed before. */
export async function releaseContents(
  { store, clock }: Pick<SyncParts, 'store' | 'clock'>,
  author: Author,
  { device, content }: { device: { id: string; name: string }; content: string | undefined },
): Promise<string[]> {
  return store.transaction(async (tables) => {
    const now = clock.now();
    const known = await tables.deviceConfigs.rolledBack([device.id]);
    if (content !== undefined && !known.some((row) => row.content === content)) {
      throw new AppError('not_found', `Content ${content} was not rolled back on ${device.name}`);
    }
    const released = await tables.deviceConfigs.release(device.id, content, now);
    await tables.audit.append([
      auditEntry(author, now, { action: 'sync.release', target: device.name, detail: { released } }),
    ]);
    return released;
  });
}

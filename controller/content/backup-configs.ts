import { BackupConfig } from '../../shared/api/backups.ts';
import type { Clock } from '../../shared/clock.ts';
import type { Store, StoreTables } from '../store/store.ts';
import { type Author, auditEntry } from './audit-entry.ts';

/** How an organization wants its backups; without a word of its own: nobody can read them, so none are made. */
export async function backupConfigOf(
  tables: Pick<StoreTables, 'backupConfigs'>,
  organizationId: string,
): Promise<BackupConfig> {
  const text = await tables.backupConfigs.get(organizationId);
  return BackupConfig.parse(text === undefined ? {} : JSON.parse(text));
}

export async function setBackupConfig(
  { store, clock }: { store: Store; clock: Clock },
  author: Author,
  config: BackupConfig,
): Promise<void> {
  const now = clock.now();
  await store.transaction(async (tables) => {
    const before = await backupConfigOf(tables, author.organizationId);
    await tables.backupConfigs.set(author.organizationId, JSON.stringify(config), now);
    const detail = { before, after: config };
    await tables.audit.append([
      auditEntry(author, now, { action: 'backup_config.update', target: 'backup-config', detail }),
    ]);
  });
}

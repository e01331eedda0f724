import { addBackupConfig } from './backup/config.ts';
import { addBackupDescribe } from './backup/describe.ts';
import { addBackupDownload } from './backup/download.ts';
import { addBackupList } from './backup/list.ts';
import { addBackupRestore } from './backup/restore.ts';
import { addBackupRetention } from './backup/retention.ts';
import { addBackupRun } from './backup/run.ts';
import { addBackupVerify } from './backup/verify.ts';
import type { GroupParts } from './groups.ts';

export function addBackupCommands({ command, open }: GroupParts): void {
  command.commandsGroup('Archives:');
  addBackupRun(command, open);
  addBackupList(command, open);
  addBackupDescribe(command, open);
  addBackupDownload(command, open);
  addBackupVerify(command, open);
  addBackupRestore(command, open);
  command.commandsGroup('How backups are made and kept:');
  addBackupConfig(command, open);
  addBackupRetention(command, open);
}

import type { GroupParts } from './groups.ts';

export function addBackupCommands({ command, open }: GroupParts): void {
  void command;
  void open;
}

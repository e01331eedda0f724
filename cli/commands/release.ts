import type { GroupParts } from './groups.ts';
import { addReleaseAdd } from './release/add.ts';
import { addReleaseChanges } from './release/change.ts';
import { addReleaseList } from './release/list.ts';

export function addReleaseCommands({ command, open }: GroupParts): void {
  addReleaseList(command, open);
  addReleaseAdd(command, open);
  addReleaseChanges(command, open);
}

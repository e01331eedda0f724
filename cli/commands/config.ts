import { addConfigDiff } from './config/diff.ts';
import { addConfigList } from './config/list.ts';
import { addConfigShow } from './config/show.ts';
import type { GroupParts } from './groups.ts';

export function addConfigCommands({ command, open }: GroupParts): void {
  addConfigList(command, open);
  addConfigShow(command, open);
  addConfigDiff(command, open);
}

import type { GroupParts } from './groups.ts';
import { addTaskTypeDescribe } from './task-type/describe.ts';
import { addTaskTypeList } from './task-type/list.ts';

export function addTaskTypeCommands({ command, open }: GroupParts): void {
  addTaskTypeList(command, open);
  addTaskTypeDescribe(command, open);
}

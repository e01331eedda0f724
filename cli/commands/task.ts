import type { GroupParts } from './groups.ts';
import { addTaskCancel } from './task/cancel.ts';
import { addTaskDescribe } from './task/describe.ts';
import { addTaskList } from './task/list.ts';
import { addTaskLogs } from './task/logs.ts';
import { addTaskWatch } from './task/watch.ts';

export function addTaskCommands({ command, open }: GroupParts): void {
  addTaskList(command, open);
  addTaskDescribe(command, open);
  addTaskCancel(command, open);
  addTaskLogs(command, open);
  addTaskWatch(command, open);
}

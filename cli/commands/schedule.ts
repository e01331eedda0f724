import type { GroupParts } from './groups.ts';
import { addScheduleChanges } from './schedule/change.ts';
import { addScheduleCreate } from './schedule/create.ts';
import { addScheduleDelete } from './schedule/delete.ts';
import { addScheduleReads } from './schedule/read.ts';
import { addSchedulePreview } from './schedule/preview.ts';
import { addScheduleRun } from './schedule/run.ts';
import { addScheduleTasks } from './schedule/tasks.ts';

export function addScheduleCommands({ command, open }: GroupParts): void {
  addScheduleReads(command, open);
  addScheduleCreate(command, open);
  addScheduleChanges(command, open);
  addScheduleRun(command, open);
  addSchedulePreview(command, open);
  addScheduleDelete(command, open);
  addScheduleTasks(command, open);
}

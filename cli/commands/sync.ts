import type { GroupParts } from './groups.ts';
import { addSyncApply } from './sync/apply.ts';
import { addSyncPlan } from './sync/plan.ts';
import { addSyncRelease } from './sync/release.ts';
import { addSyncStatus } from './sync/status.ts';

export function addSyncCommands({ command, open }: GroupParts): void {
  addSyncPlan(command, open);
  addSyncApply(command, open);
  addSyncStatus(command, open);
  addSyncRelease(command, open);
}

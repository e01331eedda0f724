import type { GroupParts } from './groups.ts';
export function addTaskCommands(_: GroupParts): void {}

import type { GroupParts } from './groups.ts';
export function addRunCommands(_: GroupParts): void {}

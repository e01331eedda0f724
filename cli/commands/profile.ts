import type { GroupParts } from './groups.ts';
export function addProfileCommands(_: GroupParts): void {}

import type { GroupParts } from './groups.ts';
export function addAuthCommands(_: GroupParts): void {}

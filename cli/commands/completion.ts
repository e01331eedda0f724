import type { GroupParts } from './groups.ts';
export function addCompletion(_: GroupParts): void {}

import type { GroupParts } from './groups.ts';
export function addAudit(_: GroupParts): void {}

import { taskTypeNames } from './task-types/task-type.ts';

/** What a run does: a task type, on devices; or AGENT_TASK, a prompt that the controller itself works on. */
export const runTypeNames = [...taskTypeNames, 'AGENT_TASK'] as const;
export type RunType = (typeof runTypeNames)[number];

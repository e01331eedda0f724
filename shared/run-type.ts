import { type PluginTaskType, taskTypeNames } from './task-types/task-type.ts';

/** What a run does: a task type, on devices; or AGENT_TASK, a prompt that the controller itself works on. */
export const runTypeNames = [...taskTypeNames, 'AGENT_TASK'] as const;
export type RunType = (typeof runTypeNames)[number] | PluginTaskType;

/** What the model of an agent task may propose: everything but a session, which is a person's. */
export const proposableTypeNames = taskTypeNames.filter((name) => name !== 'CONNECT');
export type ProposableType = (typeof proposableTypeNames)[number] | PluginTaskType;

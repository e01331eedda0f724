import { z } from 'zod';
import { ProposableType } from '../../../shared/api/assistant.ts';
import { Targets } from '../../../shared/api/tasks.ts';
import type { ToolDescription } from '../chat-model.ts';
import { configurationTools } from './configuration-tools.ts';
import { deviceTools } from './device-tools.ts';
import type { ReadTool } from './read-tool.ts';
import { scheduleTools } from './schedule-tools.ts';
import { taskTypeTools } from './task-type-tool.ts';
import { taskTools } from './task-tools.ts';

export const readTools: ReadTool[] = [
  ...deviceTools,
  ...taskTools,
  ...configurationTools,
  ...scheduleTools,
  ...taskTypeTools,
];

export const proposeName = 'propose_task';

/** What the model says when it wants something done. */
export const Proposal = z.strictObject({
  task_type: ProposableType,
  parameters: z.record(z.string(), z.unknown()).default({}).describe('of the task type'),
  targets: Targets,
  reason: z.string().min(1).max(500).describe('why, for the person who decides'),
  wait_seconds: z.int().min(0).max(1_800).default(300).describe('how long to wait for the end of the tasks'),
});
export type Proposal = z.output<typeof Proposal>;

const proposal: ToolDescription = {
  name: proposeName,
  description:
    'Asks for a task on devices. A person sees it and approves or rejects it; the result says which, and when it was approved how the tasks ended. Look at describe_task_type first.',
  parameters: schemaOf(Proposal),
};

/** All tools, as the model is told of them. */
export const toolDescriptions: ToolDescription[] = [
  ...readTools.map(({ name, description, parameters }) => ({
    name,
    description,
    parameters: schemaOf(parameters),
  })),
  proposal,
];

function schemaOf(schema: z.ZodType): Record<string, unknown> {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: 'input' });
  return rest;
}

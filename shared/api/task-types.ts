import { z } from 'zod';
import { lanes } from '../task-types/task-type.ts';
import { TaskTypeName } from './tasks.ts';

const JsonSchema = z.record(z.string(), z.unknown());

/** One task type: what holds for every task of it. */
export const TaskTypeInfo = z.object({
  name: TaskTypeName,
  supported: z.boolean().describe('false: every request for it is refused, for now'),
  summary: z.string().nullable(),
  lane: z.enum(lanes),
  expires_in_seconds: z.number().describe('default bound on waiting'),
  timeout_seconds: z.number().describe('default bound on execution'),
  can_stop: z.boolean().describe('a cancel request can end it once it runs'),
  rerun: z.boolean().describe('may run again after a crash in the middle'),
  needs_idle: z.boolean().describe('runs only when nothing else does, unless forced'),
  disruptive: z.boolean().describe('people are asked before it is sent'),
  plugin: z.string().nullish().describe('the plugin that adds it; null for what is built in'),
  plugin_version: z
    .string()
    .nullish()
    .describe('the version of the plugin that says so: the promoted one, else the newest'),
  parameters: JsonSchema.nullable(),
  result: JsonSchema.nullable(),
});
export type TaskTypeInfo = z.output<typeof TaskTypeInfo>;

/** GET /api/v1/task-types. The task types of plugins are those of this organization, the caller’s own when it is absent. */
export const TaskTypeQuery = z.strictObject({ organization: z.string().optional() });

/** All of them, so without pages. */
export const TaskTypeList = z.object({ items: z.array(TaskTypeInfo) });
export type TaskTypeList = z.output<typeof TaskTypeList>;

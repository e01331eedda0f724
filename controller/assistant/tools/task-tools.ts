import { z } from 'zod';
import { TaskStatus, TaskTypeName } from '../../../shared/api/tasks.ts';
import { AppError } from '../../../shared/errors.ts';
import type { OrganizationRow } from '../../store/access.ts';
import type { TaskRow } from '../../store/tasks.ts';
import { runStatus } from '../../tasks/runs.ts';
import { device, findDevice, page, pagingOf, type ReadParts, readTool, rows, time } from './read-tool.ts';

const code = z.string().min(1).max(64).describe('code of a task');
const moment = z.iso.datetime({ offset: true }).optional();

const listTasks = readTool({
  name: 'list_tasks',
  description: 'Lists tasks, newest first: what was done on devices, and how it ended.',
  parameters: z.strictObject({
    device: device.optional(),
    type: TaskTypeName.optional(),
    status: TaskStatus.optional(),
    run: z.uuid().optional(),
    created_after: moment,
    created_before: moment,
    ...page,
  }),
  read: async (parts, organization, args) => {
    const of = args.device === undefined ? undefined : await findDevice(parts, organization, args.device);
    const filter = {
      organizationId: organization.id,
      sortBy: 'created_at' as const,
      descending: true,
      ...(of && { deviceIds: [of.id] }),
      ...(args.type && { type: args.type }),
      ...(args.status && { status: args.status }),
      ...(args.run && { runId: args.run }),
      ...(args.created_after && { createdAfter: Date.parse(args.created_after) }),
      ...(args.created_before && { createdBefore: Date.parse(args.created_before) }),
    };
    return rows(await parts.store.tasks.list(filter, pagingOf(args)), args, brief);
  },
});

const getTask = readTool({
  name: 'get_task',
  description: 'One task with its parameters and its result.',
  parameters: z.strictObject({ task: code }),
  read: async (parts, organization, args) => {
    const row = await findTask(parts, organization, args.task);
    return { ...brief(row), parameters: row.parameters, result: row.result, created_by: row.createdBy };
  },
});

const readTaskLog = readTool({
  name: 'read_task_log',
  description: 'What a task wrote, line by line. `next` is the cursor to read on from.',
  parameters: z.strictObject({
    task: code,
    after: z.int().min(0).default(0).describe('cursor of the last line that was read'),
    lines: z.int().min(1).max(200).default(100),
  }),
  read: async (parts, organization, args) => {
    const { id } = await findTask(parts, organization, args.task);
    const lines = await parts.store.logs.read(id, args.after, args.lines);
    return {
      lines: lines.map(({ stream, text }) => `${stream}: ${text}`),
      next: lines.at(-1)?.cursor ?? args.after,
    };
  },
});

const getRun = readTool({
  name: 'get_run',
  description: 'One run, which is the tasks that one request made: its state, and those tasks.',
  parameters: z.strictObject({ run: z.uuid(), ...page }),
  read: (parts, organization, args) => describeRun(parts, organization, args),
});

/** A run as the model sees it. Throws `not_found`. */
export async function describeRun(
  { store }: Pick<ReadParts, 'store'>,
  organization: OrganizationRow,
  args: { run: string; page: number; limit: number },
): Promise<object> {
  const run = await store.runs.get(organization.id, args.run);
  if (run === undefined) throw new AppError('not_found', `There is no run ${args.run}`);
  const filter = {
    organizationId: organization.id,
    runId: run.id,
    sortBy: 'device_name' as const,
    descending: false,
  };
  const tasks = await store.tasks.list(filter, pagingOf(args));
  return {
    run: run.id,
    type: run.type,
    status: runStatus(run),
    created_by: run.createdBy,
    created_at: time(run.createdAt),
    completed_at: time(run.completedAt),
    skipped: run.skipped.slice(0, args.limit),
    tasks: rows(tasks, args, (row) => ({ ...brief(row), result: row.result })),
  };
}

async function findTask({ store }: ReadParts, { id }: OrganizationRow, wanted: string): Promise<TaskRow> {
  const task = await store.tasks.get(id, wanted);
  if (task === undefined) throw new AppError('not_found', `There is no task ${wanted}`);
  return task;
}

const brief = (row: TaskRow) => ({
  task: row.code,
  type: row.type,
  device: row.deviceName,
  status: row.status,
  message: row.message,
  error_code: row.errorCode,
  error_message: row.errorMessage,
  run: row.runId,
  created_at: time(row.createdAt),
  completed_at: time(row.completedAt),
});

export const taskTools = [listTasks, getTask, readTaskLog, getRun];

import { z } from 'zod';
import { ProposableType } from '../../../shared/api/assistant.ts';
import type { ProposableType as TypeName } from '../../../shared/run-type.ts';
import { taskContracts } from '../../../shared/task-types/contracts.ts';
import { readTool } from './read-tool.ts';

/** PULL, BACKUP and SYNC are asked for otherwise than they reach a device. */
const madeFor: Partial<Record<TypeName, string>> = {
  PULL: 'Reads the configuration. Parameters: {units?: string[]}',
  BACKUP: 'Makes a backup. Parameters: {full?: boolean}',
  SYNC: 'Sends the desired configuration. Parameters: {}',
};

const describeTaskType = readTool({
  name: 'describe_task_type',
  description: 'What a task type does, and the schema of its parameters.',
  parameters: z.strictObject({ task_type: ProposableType }),
  read: async (_parts, _organization, { task_type: type }) => {
    const summary = madeFor[type];
    const contract = taskContracts[type];
    if (summary !== undefined || contract === undefined) {
      return { task_type: type, summary: summary ?? 'not supported by this version' };
    }
    const parameters = z.toJSONSchema(contract.parameters, { io: 'input', unrepresentable: 'any' });
    return { task_type: type, summary: contract.summary, parameters };
  },
});

export const taskTypeTools = [describeTaskType];

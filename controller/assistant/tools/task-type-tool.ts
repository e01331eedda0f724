import { z } from 'zod';
import { ProposableType } from '../../../shared/api/assistant.ts';
import type { ProposableType as TypeName } from '../../../shared/run-type.ts';
import { definitionOf, partsOfTaskType } from '../../../shared/plugin.ts';
import { contractOf } from '../../../shared/task-types/contracts.ts';
import { isBuiltIn, type PluginTaskType } from '../../../shared/task-types/task-type.ts';
import { pluginsOf } from '../../content/plugins.ts';
import type { OrganizationRow } from '../../store/access.ts';
import { type ReadParts, readTool } from './read-tool.ts';

/** PULL, BACKUP and SYNC are asked for otherwise than they reach a device. */
const madeFor: Partial<Record<TypeName, string>> = {
  PULL: 'Reads the configuration. Parameters: {units?: string[]}',
  BACKUP: 'Makes a backup. Parameters: {full?: boolean}',
  SYNC: 'Sends the desired configuration. Parameters: {}',
};

const describeTaskType = readTool({
  name: 'describe_task_type',
  description:
    'What a task type does, and the schema of its parameters. Types of plugins are named PLUGIN.TYPE: a device lists those that it has.',
  parameters: z.strictObject({ task_type: ProposableType }),
  read: async (parts, organization, { task_type: type }) => {
    if (!isBuiltIn(type)) return ofPlugin(parts, organization, type);
    const summary = madeFor[type];
    const contract = contractOf(type);
    if (summary !== undefined || contract === undefined) {
      return { task_type: type, summary: summary ?? 'not supported by this version' };
    }
    const parameters = z.toJSONSchema(contract.parameters, { io: 'input', unrepresentable: 'any' });
    return { task_type: type, summary: contract.summary, parameters };
  },
});

async function ofPlugin(
  { store: { releases } }: ReadParts,
  organization: OrganizationRow,
  task_type: PluginTaskType,
): Promise<object> {
  const { plugin, type } = partsOfTaskType(task_type);
  const manifest = (await pluginsOf(releases, organization.id, plugin)).get(plugin);
  const definition = manifest && definitionOf(manifest, type);
  if (definition === undefined) return { task_type, summary: 'not known in this organization' };
  const { summary, parameters } = definition;
  return { task_type, summary, parameters };
}

export const taskTypeTools = [describeTaskType];

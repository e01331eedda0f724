import type { GroupParts } from './groups.ts';
import { addRunAgentTask } from './run/agent-task.ts';
import { addRunCancel } from './run/cancel.ts';
import { addRunDescribe } from './run/describe.ts';
import { addRunHealthCheck } from './run/health-check.ts';
import { addRunList } from './run/list.ts';
import { addRunPing } from './run/ping.ts';
import { addRunPluginInstall } from './run/plugin-install.ts';
import { addRunPluginRemove } from './run/plugin-remove.ts';
import { addRunPower } from './run/power.ts';
import { addRunRetry } from './run/retry.ts';
import { addRunScript } from './run/script.ts';
import { addRunTask } from './run/task.ts';
import { addRunTranscript } from './run/transcript.ts';
import { addRunWatch } from './run/watch.ts';

export function addRunCommands({ command, open }: GroupParts): void {
  command.commandsGroup('Issue a command:');
  addRunPing(command, open);
  addRunPower(command, open);
  addRunPluginInstall(command, open);
  addRunPluginRemove(command, open);
  addRunScript(command, open);
  addRunHealthCheck(command, open);
  addRunTask(command, open);
  addRunAgentTask(command, open);
  command.commandsGroup('Runs, the tasks that one command made:');
  addRunList(command, open);
  addRunDescribe(command, open);
  addRunWatch(command, open);
  addRunTranscript(command, open);
  addRunCancel(command, open);
  addRunRetry(command, open);
}

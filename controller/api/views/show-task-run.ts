import type {
  RecentTaskRuns,
  TaskRun,
  TaskRunLog,
  TaskRunState,
} from '../../../shared/api/task-runs-view.ts';
import type { AgentTaskStatus } from '../../../shared/api/assistant.ts';
import type { TaskState } from '../../../shared/task-state.ts';
import { rfc3339 } from '../../../shared/time.ts';
import { fromStored } from '../../assistant/messages.ts';
import type { AssistantRunRow, StoredMessage } from '../../store/assistant.ts';
import type { LogRow } from '../../store/logs.ts';
import type { RunRow } from '../../store/runs.ts';
import type { TaskRow } from '../../store/tasks.ts';
import { shownOrNull } from '../show-time.ts';
import { failureReason } from './failure-reason.ts';
import { taskNameOf } from './task-names.ts';

/** One task in the words of the view, where a task is a run. */
export const showTaskRun = (task: TaskRow): TaskRun => ({
  id: task.id,
  taskName: taskNameOf(task.type),
  state: states[task.status],
  nodeId: task.deviceId,
  nodeHostname: task.deviceName,
  createdAt: rfc3339(task.createdAt),
  startedAt: shownOrNull(task.startedAt),
  completedAt: shownOrNull(task.completedAt),
  error: failureReason(task),
});

/** A run without tasks, which the controller itself works on. */
export const showAgentRun = (run: RunRow, agent: AssistantRunRow): TaskRun => ({
  id: run.id,
  taskName: taskNameOf('AGENT_TASK'),
  state: agentStates[agent.status],
  nodeId: null,
  nodeHostname: null,
  createdAt: rfc3339(run.createdAt),
  startedAt: shownOrNull(agent.startedAt),
  completedAt: shownOrNull(agent.completedAt),
  error: agent.errorMessage ?? agent.errorCode,
});

/** The same of a list, where how it went is not read. */
export const showRecentAgentRun = ({ id, agentStatus, createdAt }: RunRow): RecentTaskRuns[number] => ({
  id,
  taskName: taskNameOf('AGENT_TASK'),
  state: agentStates[agentStatus ?? 'failed'],
  createdAt: rfc3339(createdAt),
});

const agentStates = {
  running: 'running',
  waiting: 'running',
  completed: 'completed',
  failed: 'failed',
  cancelled: 'canceled',
} as const satisfies Record<AgentTaskStatus, TaskRunState>;

const states = {
  SCHEDULED: 'pending',
  PENDING: 'pending',
  IN_PROGRESS: 'running',
  COMPLETED: 'completed',
  FAILED: 'failed',
  EXPIRED: 'failed',
  CANCELLED: 'canceled',
} as const satisfies Record<TaskState, TaskRunState>;

export const showTaskLogLine = ({ cursor, stream, at, text }: LogRow): TaskRunLog[number] => ({
  timestamp: rfc3339(at),
  level: logLevels[stream],
  message: text,
  cursor,
});

/** Where a line came from says how much it matters; devices do not. */
const logLevels = { stdout: 'info', agent: 'info', stderr: 'warn', gap: 'warn' } as const;

/** What was said to the model and by it; what it was shown is for who looks closer. */
export function showAgentLogLine(stored: StoredMessage): TaskRunLog[number] {
  const { seq, at, role } = stored;
  const message = fromStored(stored);
  const calls = message.role === 'assistant' ? message.toolCalls : [];
  return {
    timestamp: rfc3339(at),
    level: role === 'system' || role === 'tool' ? 'debug' : 'info',
    message: [message.text, ...calls.map(({ name, arguments: what }) => `asks for ${name} ${what}`)]
      .filter((text) => text !== '')
      .join('\n'),
    cursor: seq,
  };
}

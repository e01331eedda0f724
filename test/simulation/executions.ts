import type { Handler } from '../../agent/handlers/handler.ts';
import type { TaskType } from '../../shared/task-types/task-type.ts';
import type { Execution, Ledger } from './ledger.ts';
import type { Process } from './process.ts';
import { tagOf } from './requests.ts';
import type { Trace } from './trace.ts';

export type Handlers = Partial<Record<TaskType, Handler>>;

export interface RecorderParts {
  ledger: Ledger;
  trace: Trace;
  deviceId: string;
  agent: Process;
  agentLife: number;
  bootId: () => string;
  /** The code of the only unfinished task of this type that the device holds on disk. */
  codeOnDisk: (type: TaskType) => string | undefined;
}

/** Wraps every handler so that each execution is in the ledger, with what the controller showed when it began. */
export function recordExecutions(handlers: Handlers, parts: RecorderParts): Handlers {
  return Object.fromEntries(
    Object.entries(handlers).flatMap(([type, handler]) =>
      handler ? [[type, recorded(type as TaskType, handler, parts)]] : [],
    ),
  );
}

/** The execution that goes on in this agent process and gave this power command, or started the program with this tag. */
export function currentExecution(parts: RecorderParts, verb: string | number): Execution | undefined {
  const type = { reboot: 'REBOOT', powerOff: 'SHUTDOWN', restartAgent: 'RESTART' }[verb];
  return parts.ledger.executions.findLast(
    (execution) =>
      execution.deviceId === parts.deviceId &&
      execution.agentLife === parts.agentLife &&
      (type === undefined ? execution.tag === verb : execution.type === type),
  );
}

function recorded(type: TaskType, handler: Handler, parts: RecorderParts): Handler {
  return {
    ...handler,
    run: async (parameters, context) => {
      const execution = begin(type, parameters, parts);
      const end = (how: string): void => {
        if (!parts.agent.alive) return;
        execution.end = { how, at: parts.ledger.next() };
        parts.trace.add(parts.agent.name, `execution of ${execution.code ?? type} ${how}`);
      };
      try {
        const result = await handler.run(parameters, context);
        end('returned');
        return result;
      } catch (error) {
        end(error instanceof Error && 'code' in error ? String(error.code) : String(error));
        throw error;
      }
    },
  };
}

function begin(type: TaskType, parameters: unknown, parts: RecorderParts): Execution {
  const { ledger, deviceId, agentLife } = parts;
  const tag = tagOf(type, parameters);
  const seen = [...ledger.tasks.values()].find(
    (task) => task.deviceId === deviceId && task.type === type && task.tag === tag,
  );
  const code = tag === undefined ? parts.codeOnDisk(type) : seen?.code;
  const execution: Execution = {
    deviceId,
    type,
    code,
    tag,
    shownState: ledger.byCode(deviceId, code)?.state,
    agentLife,
    bootId: parts.bootId(),
    startedAt: parts.trace.now,
    order: ledger.next(),
    verbs: [],
    exits: [],
  };
  ledger.executions.push(execution);
  parts.trace.add(parts.agent.name, `executes ${code ?? `${type} it does not hold`}`);
  return execution;
}

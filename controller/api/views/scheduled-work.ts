import { AgentTaskRequest } from '../../../shared/api/assistant.ts';
import {
  RetryParameters,
  ScheduledBackup,
  ScheduledHealthCheck,
  ScheduledScript,
  type ScheduleTaskType,
} from '../../../shared/api/task-schedules-view.ts';
import type { Targets } from '../../../shared/api/tasks.ts';
import { AppError } from '../../../shared/errors.ts';
import { parse } from '../../../shared/parse.ts';
import { knownTraits, type TaskType } from '../../../shared/task-types/task-type.ts';
import type { ScheduledKind, ScheduledTaskRow } from '../../store/schedules.ts';

/** What a schedule runs, as the scheduler keeps it. */
export interface Work {
  kind: ScheduledKind;
  request: Record<string, unknown>;
}

/** The same in the words of the view. */
export interface WorkWords {
  taskType: string;
  parameters: Record<string, unknown>;
  timeoutSeconds: number;
  /** What the request itself says of retries goes before what the schedule says. */
  retries: RetryParameters;
}

/** Takes what is about retries and time out of the parameters; what stands at the top level goes before it. */
export function splitParameters(
  given: Record<string, unknown>,
  top: RetryParameters,
): { parameters: Record<string, unknown>; retries: RetryParameters } {
  const { max_retries, retry_delay_seconds, timeout_seconds, ...parameters } = given;
  const inside = parse('parameters', RetryParameters, { max_retries, retry_delay_seconds, timeout_seconds });
  return {
    parameters,
    retries: {
      max_retries: top.max_retries ?? inside.max_retries,
      retry_delay_seconds: top.retry_delay_seconds ?? inside.retry_delay_seconds,
      timeout_seconds: top.timeout_seconds ?? inside.timeout_seconds,
    },
  };
}

/** Throws 400 that names the parameter. */
export function workOf(taskType: ScheduleTaskType, parameters: Record<string, unknown>): Work {
  const what = `parameters of ${taskType}`;
  switch (taskType) {
    case 'backup': {
      const { capture_running, capture_startup, full, ...selection } = parse(
        what,
        ScheduledBackup,
        parameters,
      );
      if (!capture_running && !capture_startup) {
        throw new AppError(
          'bad_request',
          `${what} ask for nothing: expected capture_running or capture_startup to be true`,
        );
      }
      return { kind: 'BACKUP', request: { targets: targetsOf(what, selection), full } };
    }
    case 'health_check': {
      const { checks, ...selection } = parse(what, ScheduledHealthCheck, parameters);
      return run('HEALTH_CHECK', targetsOf(what, selection), { ...(checks && { checks }) });
    }
    case 'custom_script': {
      const { device_ids, targets, ...payload } = parse(what, ScheduledScript, parameters);
      return run('SCRIPT', targetsOf(what, { device_ids, targets }), payload);
    }
    case 'agent_task':
      return { kind: 'AGENT_TASK', request: parse(what, Prompt, parameters) };
  }
}

/** Its time-out is said like that of all others. */
const Prompt = AgentTaskRequest.omit({ timeout_seconds: true });

const run = (type: TaskType, targets: Targets, payload: Record<string, unknown>): Work => ({
  kind: 'RUN',
  request: { type, targets, payload },
});

function targetsOf(
  what: string,
  { device_ids: devices, targets }: { device_ids?: string[] | undefined; targets?: Targets | undefined },
): Targets {
  if ((devices === undefined) === (targets === undefined)) {
    throw new AppError('bad_request', `${what}: expected exactly one of device_ids and targets`, {
      detail: { field: 'parameters.device_ids' },
    });
  }
  return devices === undefined ? (targets ?? {}) : { devices: [...new Set(devices)] };
}

/** Everything a schedule may run has words, also what this view cannot make. */
export function wordsOf(
  { kind, request: text }: Pick<ScheduledTaskRow, 'kind' | 'request'>,
  pluginTimeouts?: ReadonlyMap<string, number>,
): WorkWords {
  const request = JSON.parse(text) as StoredRequest;
  const {
    type = kind,
    targets,
    payload,
    timeout_seconds,
    max_retries,
    retry_delay_seconds,
    ...rest
  } = request;
  const word = type === 'SCRIPT' ? 'custom_script' : type.toLowerCase();
  return {
    taskType: word,
    parameters: {
      ...selectionOf(targets),
      ...(kind === 'BACKUP' && { capture_running: true, capture_startup: true, full: rest['full'] === true }),
      ...(kind === 'RUN' ? payloadOf(payload) : kind !== 'BACKUP' && rest),
    },
    timeoutSeconds: timeout_seconds ?? pluginTimeouts?.get(type) ?? timeoutOf(type),
    retries: { max_retries, retry_delay_seconds },
  };
}

/** What was checked when it was stored. */
interface StoredRequest extends RetryParameters, Record<string, unknown> {
  type?: string;
  targets?: Targets;
  payload?: Record<string, unknown> | string;
}

/** Of the devices alone when all are ids. */
function selectionOf(targets: Targets | undefined): Record<string, unknown> {
  if (targets === undefined) return {};
  const { devices = [], ...others } = targets;
  const onlyIds = Object.keys(others).length === 0 && devices.every((name) => uuid.test(name));
  return onlyIds ? { device_ids: devices } : { targets };
}

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

const payloadOf = (payload: StoredRequest['payload']): Record<string, unknown> =>
  typeof payload === 'string' ? (JSON.parse(payload || '{}') as Record<string, unknown>) : (payload ?? {});

const agentTimeoutMs = 3_600_000;

const timeoutOf = (type: string): number => (knownTraits(type)?.timeoutMs ?? agentTimeoutMs) / 1000;

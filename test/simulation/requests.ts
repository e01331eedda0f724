import type { RunRequest } from '../../shared/api/tasks.ts';
import type { TaskType } from '../../shared/task-types/task-type.ts';
import type { SeededRandom } from './random.ts';

export const deviceName = (index: number): string => `device-${index + 1}`;

const types = { PING: 4, HEALTH_CHECK: 2, SCRIPT: 10, REBOOT: 4, SHUTDOWN: 2, RESTART: 3 } as const;

/** Draws a request for tasks. `tag` is different in every request of a run and shows in the parameters where the type has any. */
export function drawRequest(parts: { random: SeededRandom; devices: number; tag: number }): RunRequest {
  const { random, devices, tag } = parts;
  const type = random.weighted(types);
  const many = devices > 1 && random.chance(0.3);
  const request: RunRequest = {
    type,
    targets: many ? { all: true } : { devices: [deviceName(random.integer(0, devices - 1))] },
    payload: drawParameters(type, tag, random),
    expires_in_seconds: random.integer(3, 150),
    // A SHUTDOWN is proved by two minutes of absence.
    timeout_seconds: type === 'SHUTDOWN' ? random.integer(60, 300) : random.integer(4, 90),
    force: random.chance(0.1),
    dry_run: false,
  };
  if (many && random.chance(0.4)) request.rollout = drawRollout(random);
  return request;
}

/** Draws what a SYNC is asked for with; its parameters are computed when it is asked for. */
export const drawSyncRequest = (random: SeededRandom, device: number): RunRequest => ({
  type: 'SYNC',
  targets: { devices: [deviceName(device)] },
  payload: {},
  expires_in_seconds: random.integer(20, 200),
  timeout_seconds: random.chance(0.1) ? random.integer(2, 40) : random.integer(60, 400),
  force: random.chance(0.1),
  dry_run: false,
});

/** The tag that `drawRequest` put into the parameters of a task; undefined where the type has none. */
export function tagOf(type: TaskType, parameters: unknown): number | undefined {
  const values = parameters as {
    count?: number;
    env?: Record<string, string>;
    checks?: { port?: number }[];
    generation?: number;
  };
  if (type === 'PING') return values.count;
  if (type === 'SCRIPT') return Number(values.env?.['TAG']);
  if (type === 'SYNC') return values.generation;
  if (type === 'HEALTH_CHECK') return values.checks?.[0]?.port;
  return undefined;
}

/** What the n-th line of a script says. */
export const scriptLine = (tag: number, line: number): string => `${tag}:${line}`;

function drawParameters(type: TaskType, tag: number, random: SeededRandom): Record<string, unknown> {
  switch (type) {
    case 'PING':
      return random.chance(0.5) ? { count: tag } : { count: tag, host: `host-${tag}` };
    case 'HEALTH_CHECK':
      return { checks: [{ check: 'tcp', host: 'target', port: tag }] };
    case 'SCRIPT':
      return {
        script: drawScript(tag, random),
        env: { TAG: String(tag) },
        idempotent: random.chance(0.15),
      };
    default:
      return {};
  }
}

function drawScript(tag: number, random: SeededRandom): string {
  const steps: string[] = [];
  const lines = random.chance(0.1) ? random.integer(50, 120) : random.integer(0, 6);
  for (let line = 1; line <= lines; line += 1) {
    steps.push(`echo ${scriptLine(tag, line)}`);
    if (random.chance(lines > 10 ? 0.05 : 0.7)) steps.push(`sleep ${random.integer(0, 4000) / 1000}`);
  }
  // Not drawn: what else happens in a run stays as it is.
  if (lines > 0 && tag % 3 === 0) steps.unshift(`ask ${tag}? yes no --safe no`);
  if (random.chance(0.1)) steps.push('sleep 200');
  steps.push(random.chance(0.8) ? 'exit 0' : `exit ${random.integer(1, 9)}`);
  return steps.join('\n');
}

function drawRollout(random: SeededRandom): NonNullable<RunRequest['rollout']> {
  return {
    ...(random.chance(0.6) ? { batch: random.pick(['1', '2', '50%']) } : {}),
    ...(random.chance(0.4) ? { max_failures: random.pick(['0', '1', '50%']) } : {}),
    ...(random.chance(0.4) ? { canary: 1 } : {}),
  };
}

import { AppError } from '../../shared/errors.ts';
import { parse } from '../../shared/parse.ts';
import { maxFrameBytes } from '../../shared/protocol/version.ts';
import { contractOf } from '../../shared/task-types/contracts.ts';
import type { TaskContract, TaskType } from '../../shared/task-types/task-type.ts';

/** What an offer has beside the parameters: the rest of the order, its signature, and the envelope. */
const envelopeBytes = 4 * 1024;

/**
 * Parameters of a task as its contract has them, as JSON text with defaults filled in. Throws 422 `invalid_parameters` that names the
 * field, and 413 `payload_too_large` for what no frame could carry: offering it would cost the device its link, again and again.
 */
export function readParameters(
  { name: type, parameters }: TaskContract,
  payload: Record<string, unknown> | string | undefined,
): string {
  const value = withAliases(type, typeof payload === 'string' ? jsonOf(payload) : (payload ?? {}));
  const text = JSON.stringify(parse(`payload of ${type}`, parameters, value, 'invalid_parameters'));
  const bytes = Buffer.byteLength(JSON.stringify(text)); // an order is JSON text within a JSON frame
  if (bytes > maxFrameBytes - envelopeBytes) {
    throw new AppError(
      'payload_too_large',
      `payload of ${type} is too large: ${bytes} bytes as it is sent, expected at most ${maxFrameBytes - envelopeBytes}`,
    );
  }
  return text;
}

/** Refuses (422) a plain run of a type whose parameters are computed by a part of the controller, and names the way to go. */
export function requirePlain(type: TaskType): void {
  const madeBy = contractOf(type)?.madeBy;
  if (madeBy === undefined) return;
  const path = `/api/v1/organizations/{organization}/${routeOf[madeBy]}`;
  throw new AppError(
    'task_type_not_supported',
    `${type} is not run by itself, because its parameters are computed for each device: use POST ${path}`,
    { detail: { path } },
  );
}

const routeOf = {
  sync: 'sync',
  pull: 'pull',
  backup: 'backups',
  connect: 'devices/{device}/connect',
  release: 'plugin-install',
} as const;

function jsonOf(text: string): unknown {
  if (text.trim() === '') return {};
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new AppError('invalid_parameters', 'payload is not valid: it is text, and not JSON', { cause });
  }
}

/** Existing clients name the host of a PING `target`. */
function withAliases(type: TaskType, value: unknown): unknown {
  if (type !== 'PING' || typeof value !== 'object' || value === null || !('target' in value)) return value;
  const { target, ...rest } = value;
  return 'host' in rest || target === '' || target === null ? rest : { ...rest, host: target };
}

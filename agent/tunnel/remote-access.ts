import { z } from 'zod';
import { TaskError } from '../../shared/errors.ts';
import type { SessionMode } from '../../shared/task-types/connect.ts';
import type { OpenRequest } from '../../shared/tunnel/service.ts';

const TcpTarget = z
  .string()
  .regex(/^(\*|\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+):(\*|\d{1,5})$/, 'expected HOST:PORT, where either may be *');

const loopback = ['127.0.0.1', '[::1]', 'localhost'];
const defaultTargets = [22, 80, 443].flatMap((port) => loopback.map((host) => `${host}:${port}`));

/** What remote sessions may do on this device. The controller can narrow it and never widen it. */
export const RemoteAccess = z.strictObject({
  mode: z
    .string()
    .default('full')
    // Whoever misspells a restriction must not have opened the device with it.
    .transform((text) => (text === 'full' || text === 'readonly' ? text : 'disabled'))
    .describe('full, readonly or disabled; anything else means disabled'),
  targets: z.array(TcpTarget).max(1000).default(defaultTargets).describe('where tcp streams may go'),
  read_only_targets: z
    .array(TcpTarget)
    .max(1000)
    .default([])
    .describe('those of them that a read-only session may use'),
  shell: z.boolean().default(true),
  exec: z.boolean().default(true),
  user: z
    .string()
    .max(32)
    .optional()
    .describe('user of shells and commands; root beside a root helper, else the agent’s own, when absent'),
  always_record: z.boolean().default(false).describe('record every shell, asked or not'),
});
export type RemoteAccess = z.output<typeof RemoteAccess>;

/** Of the device and of the session, the narrower. Throws `TaskError('policy')` when nothing is allowed. */
export function sessionMode(policy: RemoteAccess, asked: SessionMode): SessionMode {
  if (policy.mode === 'disabled') {
    throw new TaskError(
      'policy',
      'The policy of this device does not allow remote access (remote_access.mode)',
    );
  }
  return policy.mode === 'readonly' ? 'readonly' : asked;
}

/** Throws `TaskError('policy')` that names what is not allowed. */
export function requireService(policy: RemoteAccess, mode: SessionMode, request: OpenRequest): void {
  if (request.service === 'tcp') {
    const targets = mode === 'readonly' ? policy.read_only_targets : policy.targets;
    if (mode === 'readonly' && !policy.targets.some((target) => matches(target, request)))
      refuse(request, mode);
    if (!targets.some((target) => matches(target, request))) refuse(request, mode);
    return;
  }
  if (mode === 'readonly' || !policy[request.service]) refuse(request, mode);
}

function refuse(request: OpenRequest, mode: SessionMode): never {
  const how = mode === 'readonly' ? ' in a read-only session' : '';
  throw new TaskError('policy', `The policy of this device does not allow ${serviceName(request)}${how}`);
}

function matches(target: string, { host, port }: { host: string; port: number }): boolean {
  const at = target.lastIndexOf(':');
  const wantedHost = target
    .slice(0, at)
    .replace(/^\[(.*)\]$/, '$1')
    .toLowerCase();
  const wantedPort = target.slice(at + 1);
  const given = host.replace(/^\[(.*)\]$/, '$1').toLowerCase();
  return (wantedHost === '*' || wantedHost === given) && (wantedPort === '*' || Number(wantedPort) === port);
}

/** A service as results and audit entries name it. */
export function serviceName(request: OpenRequest): string {
  if (request.service === 'tcp') return `tcp:${request.host}:${request.port}`;
  if (request.service === 'exec') return `exec:${request.argv[0] ?? ''}`.slice(0, 300);
  return request.service;
}

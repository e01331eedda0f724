import { isIP } from 'node:net';
import { z } from 'zod';
import { readConfig } from '../shared/node/config-file.ts';
import { type ControllerSettings, defaultSettings } from './settings.ts';

const ListenAddress = z
  .string()
  .regex(/^(\[[0-9a-fA-F:.]+\]|[^\s:[\]]+):\d{1,5}$/, 'expected HOST:PORT, as 127.0.0.1:7443 or [::1]:7443');

const days = (fallbackMs: number) =>
  z
    .int()
    .min(1)
    .max(36_500)
    .default(fallbackMs / 86_400_000);

/** The controller's configuration file. */
export const ControllerConfig = z.strictObject({
  listen: ListenAddress.default('127.0.0.1:7443').describe('address and port of REST and links'),
  public_url: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe(
      'base URL that devices and people use; enrolment tickets carry it. As given to init when absent',
    ),
  tls_cert_file: z
    .string()
    .optional()
    .describe('PEM file with the certificate chain; with tls_key_file: HTTPS'),
  tls_key_file: z.string().optional().describe('PEM file with the private key'),
  allow_plain_http: z
    .boolean()
    .default(false)
    .describe('serve plain HTTP beyond loopback: only behind a proxy that speaks TLS'),
  log_level: z.enum(['trace', 'debug', 'info', 'warn', 'error']).default('info'),
  trusted_proxies: z.array(z.string()).default([]).describe('proxies whose X-Forwarded-For is believed'),
  requests_per_minute: z.int().min(1).optional().describe('REST requests per token'),
  metrics_access: z.enum(['public', 'viewer']).default('public'),
  admissions_per_second: z.int().min(1).default(defaultSettings.admissionsPerSecond).describe('links let in'),
  admissions_burst: z.int().min(1).default(defaultSettings.admissionsBurst).describe('links let in at once'),
  task_retention_days: days(defaultSettings.taskRetentionMs).describe('ended tasks, their logs, and runs'),
  audit_retention_days: days(defaultSettings.auditRetentionMs),
  event_retention_days: days(defaultSettings.eventRetentionMs),
});
export type ControllerConfig = z.output<typeof ControllerConfig>;

export const defaultConfigFile = '/etc/muster/controller.yaml';

/** File, `controller.conf.d/*.yaml` beside it, environment (`MUSTER_CONTROLLER_LISTEN`), then flags. */
export async function loadConfig(
  env: NodeJS.ProcessEnv,
  file: string | undefined,
  flags: Partial<ControllerConfig>,
): Promise<ControllerConfig> {
  const config = await readConfig({
    schema: ControllerConfig,
    file: file ?? defaultConfigFile,
    mustExist: file !== undefined,
    prefix: 'MUSTER_CONTROLLER',
    env,
    notConfig: [],
  });
  const given = Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== undefined));
  return ControllerConfig.parse({ ...config, ...given });
}

export interface HostPort {
  host: string;
  port: number;
}

export function hostPortOf(listen: string): HostPort {
  const at = listen.lastIndexOf(':');
  return { host: listen.slice(0, at).replace(/^\[(.*)\]$/, '$1'), port: Number(listen.slice(at + 1)) };
}

export function isLoopback(host: string): boolean {
  if (host === 'localhost' || host === '::1') return true;
  return isIP(host) === 4 && host.startsWith('127.');
}

const dayMs = 86_400_000;

/** What the core is told; `publicUrl` as init stored it, unless the configuration names another. */
export const settingsOf = (config: ControllerConfig, publicUrl: string): ControllerSettings => ({
  ...defaultSettings,
  publicUrl: config.public_url ?? publicUrl,
  admissionsPerSecond: config.admissions_per_second,
  admissionsBurst: config.admissions_burst,
  taskRetentionMs: config.task_retention_days * dayMs,
  auditRetentionMs: config.audit_retention_days * dayMs,
  eventRetentionMs: config.event_retention_days * dayMs,
});

import { isIP } from 'node:net';
import { z } from 'zod';
import { OidcConfig } from './access/oidc/oidc-config.ts';
import { SnapshotRetention } from '../shared/api/configs.ts';
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

const S3Config = z.strictObject({
  endpoint: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe('of a store other than AWS'),
  region: z.string().default('us-east-1'),
  bucket: z.string().min(3).max(63),
  prefix: z.string().max(256).default(''),
  path_style: z.boolean().default(true).describe('the bucket in the path, and not in the host name'),
  access_key_id_file: z.string().optional(),
  secret_access_key_file: z.string().optional(),
  delete_access_key_id_file: z
    .string()
    .optional()
    .describe('another credential for deleting, so that the first need not be able to'),
  delete_secret_access_key_file: z.string().optional(),
});

const AssistantConfig = z.strictObject({
  base_url: z
    .url({ protocol: /^https?$/ })
    .describe('of a chat endpoint that speaks as OpenAI’s, with its version, as https://api.openai.com/v1'),
  model: z.string().min(1).max(256),
  api_key_file: z
    .string()
    .optional()
    .describe('file with the key; when absent the systemd credential assistant-api-key, if there is one'),
  timeout_seconds: z.int().min(1).max(1800).default(120).describe('of one request to the model'),
  max_output_tokens: z.int().min(64).max(100_000).default(4096).describe('of one answer of the model'),
  max_concurrent: z.int().min(1).max(64).default(4).describe('agent tasks that ask the model at once'),
  stream: z.boolean().default(false).describe('take answers in pieces, for endpoints that need it'),
});

const BlobConfig = z
  .strictObject({ folder: z.string().optional(), s3: S3Config.optional() })
  .refine(({ folder, s3 }) => folder === undefined || s3 === undefined, 'expected folder or s3, not both');

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
  blobs: BlobConfig.default({}).describe(
    'where what devices bring is kept: `blobs` in the data folder when absent',
  ),
  assistant: AssistantConfig.optional().describe('the model that works on agent tasks; none when absent'),
  backup_retention: z
    .enum(['off', 'plan', 'apply'])
    .default('off')
    .describe('apply the retention rules of backups unasked; `plan` only says what they would delete'),
  snapshot_retention: SnapshotRetention.prefault({}).describe(
    'versions of a device’s configuration that stay; looked at when it gets a new one',
  ),
  webhooks: z
    .strictObject({
      allow_private_networks: z
        .boolean()
        .default(false)
        .describe('send to loopback, private and link-local addresses too'),
      allow_http: z
        .boolean()
        .default(false)
        .describe('send to http URLs too, where everybody on the way reads along'),
    })
    .prefault({})
    .describe('where events may be sent'),
  releases: z
    .strictObject({
      public_keys: z
        .array(z.string().max(1024))
        .max(8)
        .default([])
        .describe('public keys (minisign) of whoever signs releases of the agent: others are not taken'),
    })
    .prefault({})
    .describe('releases of the agent'),
  oidc: OidcConfig.optional().describe('an identity provider by which people may log in (OpenID Connect)'),
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

import { z } from 'zod';
import { defaultSlots } from '../shared/task-types/task-type.ts';
import { Policy } from './runner/policy.ts';
import { defaultOutboxBounds } from './store/log-bounds.ts';
import { RemoteAccess } from './tunnel/remote-access.ts';
import { version } from './version.ts';

const slots = (fallback: number) => z.int().min(0).max(256).default(fallback);

/** The agent's configuration file. */
export const AgentConfigFile = z.strictObject({
  log_level: z.enum(['trace', 'debug', 'info', 'warn', 'error']).default('info'),
  policy: Policy.prefault({}).describe('what this device accepts at all'),
  rotate_key_days: z
    .int()
    .min(1)
    .max(3650)
    .optional()
    .describe(
      'a key that is older is replaced when the agent connects; absent: only when the controller wants it',
    ),
  remote_access: RemoteAccess.prefault({}).describe('what remote sessions may do on this device'),
  configuration: z
    .strictObject({
      enabled: z.boolean().default(true).describe('false: SYNC, PULL and BACKUP are not offered'),
      profile: z
        .string()
        .optional()
        .describe('id of the device profile; the only one for the platform when absent'),
      profiles_folder: z
        .string()
        .startsWith('/')
        .default('/etc/muster/profiles')
        .describe('profiles of the device’s own'),
    })
    .prefault({})
    .describe('what may be managed on this device, and how it is checked'),
  root_helper: z
    .strictObject({
      socket: z
        .string()
        .startsWith('/')
        .optional()
        .describe(
          'where the root helper listens; absent: the agent does everything itself, as the user it runs as',
        ),
      data: z
        .string()
        .startsWith('/')
        .default('/var/lib/muster-root-helper')
        .describe('what the root helper keeps; the agent’s own user must not be able to write there'),
    })
    .prefault({})
    .describe('the small program that does what needs root for an agent that is not'),
  releases: z
    .strictObject({
      key_file: z
        .string()
        .startsWith('/')
        .default('/etc/muster/release.pub')
        .describe('public key (minisign) of whoever signs releases of the agent'),
      public_keys: z.array(z.string().max(1024)).max(8).default([]).describe('further keys, one line each'),
      folder: z
        .string()
        .startsWith('/')
        .default('/var/lib/muster-releases')
        .describe('where releases are unpacked; the launcher of the package knows only the default'),
    })
    .prefault({})
    .describe('whose releases of the agent this device installs: the controller cannot change it'),
  slots: z
    .strictObject({
      exclusive: z.int().min(0).max(1).default(defaultSlots.exclusive),
      script: slots(defaultSlots.script),
      read: slots(defaultSlots.read),
      connect: slots(defaultSlots.connect),
    })
    .prefault({})
    .describe('tasks at a time, per lane'),
  outbox: z
    .strictObject({
      max_log_rows: z.int().min(100).max(10_000_000).default(defaultOutboxBounds.maxLogRows),
      max_log_bytes: z.int().min(65_536).max(1_073_741_824).default(defaultOutboxBounds.maxLogBytes),
      max_log_age_seconds: z
        .int()
        .min(60)
        .default(defaultOutboxBounds.maxLogAgeMs / 1000),
    })
    .prefault({})
    .describe('log lines that wait for the controller; the oldest are dropped beyond it'),
  drain_seconds: z
    .number()
    .min(0)
    .max(3600)
    .default(10)
    .describe('how long running tasks may go on when the agent stops'),
});

export type AgentConfig = z.output<typeof AgentConfigFile> & { version: string };

export const defaultAgentConfig: AgentConfig = { ...AgentConfigFile.parse({}), version };

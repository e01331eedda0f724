import { z } from 'zod';
import { taskContract } from './task-type.ts';

const percent = z.number().min(0).max(100);
const host = z.string().min(1).max(253);
const port = z.int().min(1).max(65_535);
const timeoutSeconds = z.number().min(0.1).max(60).default(5);

/** One thing to check, with the bounds that make it `warn` or `fail`. */
export const HealthCheckItem = z.discriminatedUnion('check', [
  z.strictObject({
    check: z.literal('disk'),
    path: z.string().startsWith('/').default('/'),
    warn_percent: percent.default(80),
    fail_percent: percent.default(95),
  }),
  z.strictObject({
    check: z.literal('memory'),
    warn_percent: percent.default(85),
    fail_percent: percent.default(95),
  }),
  z.strictObject({
    check: z.literal('load'),
    warn_per_cpu: z.number().positive().default(1.5),
    fail_per_cpu: z.number().positive().default(4),
  }),
  z.strictObject({
    check: z.literal('service'),
    unit: z.string().regex(/^[A-Za-z0-9@._:\\-]{1,255}$/, 'expected a systemd unit name'),
  }),
  z.strictObject({ check: z.literal('tcp'), host, port, timeout_seconds: timeoutSeconds }),
  z.strictObject({
    check: z.literal('http'),
    url: z.url({ protocol: /^https?$/ }),
    expect_status: z.int().min(100).max(599).optional(),
    timeout_seconds: timeoutSeconds,
  }),
  z.strictObject({
    check: z.literal('certificate'),
    host,
    port: port.default(443),
    server_name: host.optional(),
    warn_days: z.number().min(0).default(21),
    fail_days: z.number().min(0).default(7),
    timeout_seconds: timeoutSeconds,
  }),
  z.strictObject({
    check: z.literal('dns'),
    name: host,
    server: host.optional(),
    expect_address: z.string().max(64).optional(),
    timeout_seconds: timeoutSeconds,
  }),
  z.strictObject({
    check: z.literal('ntp'),
    server: host,
    port: port.default(123),
    warn_offset_ms: z.number().positive().default(100),
    fail_offset_ms: z.number().positive().default(1000),
    timeout_seconds: timeoutSeconds,
  }),
]);
export type HealthCheckItem = z.output<typeof HealthCheckItem>;

export const HealthVerdict = z.object({
  check: z.string(),
  /** The check with what it was about, for people: `disk /`, `tcp 10.0.0.1:53`. */
  name: z.string(),
  verdict: z.enum(['pass', 'warn', 'fail']),
  message: z.string(),
  /** The figure that was compared, with its unit in the name. */
  measured: z.record(z.string(), z.union([z.number(), z.string(), z.boolean()])),
  duration_ms: z.number(),
});
export type HealthVerdict = z.output<typeof HealthVerdict>;

/** COMPLETED when every requested check has a verdict, whatever the verdicts are. */
export const HealthCheck = taskContract({
  name: 'HEALTH_CHECK',
  summary: 'Collects facts and gives a verdict for each requested check',
  parameters: z.strictObject({
    checks: z
      .array(HealthCheckItem)
      .max(100)
      .default([
        { check: 'disk', path: '/', warn_percent: 80, fail_percent: 95 },
        { check: 'memory', warn_percent: 85, fail_percent: 95 },
        { check: 'load', warn_per_cpu: 1.5, fail_per_cpu: 4 },
      ]),
  }),
  result: z.object({
    /** The worst of all verdicts. */
    verdict: z.enum(['pass', 'warn', 'fail']),
    checks: z.array(HealthVerdict),
    facts: z.record(z.string(), z.unknown()),
  }),
});

import { z } from 'zod';
import { taskContract } from './task-type.ts';

/** Without `host`: the round trip between controller and agent. With `host`: `ping` runs on the device. */
export const Ping = taskContract({
  name: 'PING',
  summary: 'Measures the round trip to the device or, with a host, pings that host from the device',
  parameters: z.strictObject({
    host: z
      .string()
      .max(253)
      .regex(/^[0-9A-Za-z][0-9A-Za-z.:%_-]*$/, 'expected a host name or an IP address')
      .optional()
      .describe('host to ping from the device'),
    count: z.int().min(1).max(100).default(4).describe('echo requests to send to the host'),
  }),
  result: z.object({
    /** Milliseconds; of the link when there is no host, else the mean of the replies. */
    round_trip_ms: z.number().nullable(),
    host: z.string().optional(),
    sent: z.int().optional(),
    received: z.int().optional(),
    output: z.string().optional(),
  }),
});

import { z } from 'zod';
import { taskContract } from './task-type.ts';

/** COMPLETED only when the boot id differs from the one stored before the command; never reboots twice for one task. */
export const Reboot = taskContract({
  name: 'REBOOT',
  summary: 'Reboots the device; completed when it is back with a new boot id',
  parameters: z.strictObject({}),
  result: z.object({
    previous_boot_id: z.string(),
    boot_id: z.string(),
    /** Milliseconds between the command and the new agent's start, by the device's clock. */
    downtime_ms: z.number(),
  }),
});

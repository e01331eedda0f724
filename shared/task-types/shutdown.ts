import { z } from 'zod';
import { taskContract } from './task-type.ts';

/** COMPLETED when the powering-off report was acknowledged, the link closed and the device stayed away, or it came back with a new boot id. */
export const Shutdown = taskContract({
  name: 'SHUTDOWN',
  summary: 'Powers the device off; completed when it said so and went away',
  parameters: z.strictObject({}),
  result: z.object({
    powering_off_at: z.string().describe('when the device reported that it powers off'),
    link_closed_at: z
      .string()
      .nullable()
      .describe(
        'when its link closed; null when its return with a new boot id proved it, or the controller started after it',
      ),
    boot_id: z.string().optional().describe('boot id it came back with'),
  }),
});

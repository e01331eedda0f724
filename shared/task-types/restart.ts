import { z } from 'zod';
import { taskContract } from './task-type.ts';

/** COMPLETED when a new agent process says hello on the same boot. */
export const Restart = taskContract({
  name: 'RESTART',
  summary: 'Restarts the agent on the device; completed when its new process is back',
  parameters: z.strictObject({}),
  result: z.object({ previous_instance_id: z.string(), instance_id: z.string() }),
});

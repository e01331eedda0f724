import { z } from 'zod';

/** Where a script finds the agent that runs it, and what proves that it is this script. */
export const askSocketVariable = 'MUSTER_ASK_SOCKET';
export const askTokenVariable = 'MUSTER_ASK_TOKEN';

/** A longer request is refused. */
export const maxAskBytes = 32 * 1024;

/** One line of JSON from `muster-agent ask` to the agent; answered by one `AskReply`. */
export const AskRequest = z.object({
  token: z.string().max(256),
  prompt: z.string(),
  options: z.array(z.string()),
  safe: z.string().optional(),
  deadline_ms: z.int().optional(),
});
export type AskRequest = z.output<typeof AskRequest>;

export const AskReply = z.union([
  z.object({ answer: z.string() }),
  z.object({ error: z.object({ code: z.string(), message: z.string() }) }),
]);
export type AskReply = z.output<typeof AskReply>;

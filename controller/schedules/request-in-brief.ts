import { z } from 'zod';
import { targetsInBrief } from '../tasks/submit.ts';

const Devices = z.looseObject({ devices: z.array(z.string()).optional() });

/** What the audit log keeps of what a schedule runs: not what is sent to devices or to a model, which may hold secrets and be long. */
export function requestInBrief(request: Record<string, unknown>): Record<string, unknown> {
  const { payload: _, prompt: __, ...rest } = request;
  const targets = Devices.safeParse(rest['targets']);
  return targets.success ? { ...rest, targets: targetsInBrief(targets.data) } : rest;
}

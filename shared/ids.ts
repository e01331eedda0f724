import { z } from 'zod';
import type { Random } from './clock.ts';

const base62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/** Public id of a task: 8 base62 characters (47.6 bits; the store refuses the rare duplicate and the caller draws again). */
export const TaskCode = z.string().regex(/^[0-9A-Za-z]{8}$/, 'expected a task code of 8 letters and digits');
export type TaskCode = z.output<typeof TaskCode>;

/** Draws a task code without modulo bias. */
export function drawTaskCode(random: Random): TaskCode {
  let code = '';
  while (code.length < 8) {
    for (const byte of random.bytes(12)) {
      if (byte < 248 && code.length < 8) code += base62[byte % 62];
    }
  }
  return code;
}

/** Names people give to devices: they appear in shells, URLs and tables, so they stay plain. */
export const DeviceName = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/,
    'expected 1 to 63 letters, digits, dots, hyphens or underscores',
  );

/** Labels: `key=value`, in the manner of Kubernetes, at most 64 per device. */
export const LabelKey = z
  .string()
  .regex(
    /^[A-Za-z0-9]([A-Za-z0-9._/-]{0,61}[A-Za-z0-9])?$/,
    'expected a label key of 1 to 63 plain characters',
  );
export const LabelValue = z
  .string()
  .regex(/^[A-Za-z0-9._:/@-]{0,63}$/, 'expected a label value of at most 63 plain characters');
export const Labels = z
  .record(LabelKey, LabelValue)
  .refine((labels) => Object.keys(labels).length <= 64, 'expected at most 64 labels');
export type Labels = z.output<typeof Labels>;

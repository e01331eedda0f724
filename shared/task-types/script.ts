import { z } from 'zod';
import { taskContract } from './task-type.ts';

/** Succeeds with exit code 0. Never re-run after a crash unless `idempotent`. Output streams as log lines. */
export const Script = taskContract({
  name: 'SCRIPT',
  summary: 'Runs a script or a command on the device and streams its output',
  parameters: z
    .strictObject({
      script: z
        .string()
        .min(1)
        .max(256 * 1024)
        .optional()
        .describe('script text, given to the interpreter as a file'),
      interpreter: z
        .array(z.string().min(1).max(4096))
        .min(1)
        .max(16)
        .default(['/bin/sh'])
        .describe('program and options that read the script file'),
      argv: z
        .array(z.string().max(32_768))
        .min(1)
        .max(256)
        .optional()
        .describe('a command instead of a script; no shell is involved'),
      arguments: z.array(z.string().max(32_768)).max(256).default([]).describe('arguments for the script'),
      env: z
        .record(
          z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'expected a variable name'),
          z.string().max(32_768),
        )
        .default({})
        .describe('variables added to a minimal environment'),
      cwd: z
        .string()
        .startsWith('/', 'expected an absolute path')
        .max(4096)
        .optional()
        .describe('working directory'),
      user: z
        .string()
        .regex(/^[a-z_][a-z0-9_-]{0,31}$/, 'expected a user name')
        .optional()
        .describe('user of the device to run as; the agent’s own when absent'),
      stdin: z
        .string()
        .max(256 * 1024)
        .optional()
        .describe('text for standard input'),
      idempotent: z.boolean().default(false).describe('may be run again after a crash in the middle'),
    })
    .refine((value) => (value.script === undefined) !== (value.argv === undefined), {
      message: 'expected exactly one of script and argv',
    }),
  result: z.object({
    exit_code: z.int().nullable(),
    signal: z.string().nullable(),
    duration_ms: z.number(),
    stdout_lines: z.int(),
    stderr_lines: z.int(),
    truncated: z.boolean(),
  }),
});

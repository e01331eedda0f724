import { z } from 'zod';

/** A pattern over absolute paths: `*` within one name, no `**`, no `..`. */
const Glob = z
  .string()
  .regex(/^\/[^\0\n\t]*$/, 'expected an absolute path')
  .refine((text) => !text.split('/').includes('..'), 'expected a path without ..')
  .refine((text) => !text.includes('**'), 'expected * within one name only');

/** A command of a unit. No shell; it comes from the profile on the device, never from a bundle. `{snapshot}` is the folder of what `keep` saved. */
export const UnitCommand = z.strictObject({
  argv: z
    .array(
      z
        .string()
        .min(1)
        .max(4096)
        .regex(/^[^\n\0]*$/),
    )
    .min(1)
    .max(64),
  timeout_s: z.number().min(1).max(600).default(30),
  ok_exit_codes: z.array(z.int().min(0).max(255)).default([0]),
  /** Skip the command (and say so) when this program is not on the device. */
  if_program: z.string().optional(),
});
export type UnitCommand = z.output<typeof UnitCommand>;

/** A command that must come out as expected: exit codes alone lie for several validators. */
export const Check = UnitCommand.extend({
  id: z.string().regex(/^[a-z][a-z0-9-]*$/),
  expect: z
    .strictObject({
      output: z.string().optional().describe('regular expression that stdout+stderr must contain'),
      not_output: z.string().optional().describe('regular expression that stdout+stderr must not contain'),
      /** The same command in the scratch namespace, after the pre-flight commands, must print the same. */
      same_in_scratch: z.boolean().default(false),
      ignore: z
        .array(z.string())
        .default([])
        .describe('regular expressions cut out before `same_in_scratch` compares'),
    })
    .prefault({}),
  /** Repeated until it holds, for things that need a moment. */
  within_s: z.number().min(0).max(120).default(0),
  /** What this check is known not to see. */
  lies: z.string().optional(),
});
export type Check = z.output<typeof Check>;

/** Checks that need no program of the unit: ours, by name. */
export const BuiltInCheck = z.strictObject({
  id: z.string().regex(/^[a-z][a-z0-9-]*$/),
  built_in: z.enum([
    /** Every address that `pattern` (one capture group) finds in the candidate is an address of this host (or of the candidate's interfaces). */
    'addresses_exist',
    /** Text that must be in the candidate: `pattern`. */
    'must_contain',
    'must_not_contain',
    /** Addresses and prefixes that `pattern` captures can be parsed. */
    'addresses_valid',
    /** Every file that `pattern` captures exists in the candidate view. */
    'files_exist',
    /** `pattern` captures a base64 key of 32 bytes. */
    'wireguard_keys',
  ]),
  pattern: z.string(),
  /** Lines starting with it are not looked at. */
  comment: z.string().default('#'),
});
export type BuiltInCheck = z.output<typeof BuiltInCheck>;
const AnyCheck = z.union([BuiltInCheck, Check]);
export type AnyCheck = z.output<typeof AnyCheck>;

/** One rule of cutting or hiding, line by line. `match` is a regular expression; for secrets its group `secret` (or group 1, or all) is replaced. */
export const TextRule = z.strictObject({
  id: z.string().regex(/^[a-z][a-z0-9-]*$/),
  match: z.string(),
  replace: z.enum(['drop_line', 'mask', 'token']).describe('token: <secret:8 hex of a keyed digest>'),
  note: z.string().default(''),
});
export type TextRule = z.output<typeof TextRule>;

export const ManagedPath = z.strictObject({
  glob: Glob,
  owner: z.string().default('root'),
  group: z.string().default('root'),
  mode: z
    .string()
    .regex(/^0[0-7]{3}$/)
    .default('0644')
    .describe('highest mode that a bundle may ask for, and the default'),
  max_bytes: z.int().min(1).default(1_048_576),
  secret: z.boolean().default(false).describe('the whole content is a secret: never in a view'),
});
export type ManagedPath = z.output<typeof ManagedPath>;

/** One thing that is configured as a whole: its files, how they are checked, and how its service reads them. */
export const Unit = z.strictObject({
  name: z.string().regex(/^[a-z][a-z0-9-]{0,31}$/),
  summary: z.string(),
  paths: z.array(ManagedPath).min(1),
  max_files: z.int().min(1).max(10_000).default(256),
  /** In the candidate view, before anything is touched. */
  validate: z.array(AnyCheck).default([]),
  /** In the scratch namespace: loads the candidate; then a new connection to the controller must work. */
  preflight: z.array(UnitCommand).default([]),
  /** On the host: kept in the snapshot, with `prefix` before its output. */
  keep: z
    .array(z.strictObject({ name: z.string(), prefix: z.string().default(''), command: UnitCommand }))
    .default([]),
  /** On the host, after the files are in place. */
  apply: z.array(UnitCommand).default([]),
  /** On the host, after the files are back. */
  restore: z.array(UnitCommand).default([]),
  verify: z.array(AnyCheck).default([]),
  /** A start from nothing with the candidate, in the candidate view and scratch namespace: what a reload does not show. */
  cold_check: z.array(Check).default([]),
  /** Running state where it can differ from the files; part of the view. */
  running: UnitCommand.optional(),
  /** Checks of `verify` that also tell, at a PULL, whether the running state is that of the files. */
  running_checks: z.array(z.string()).default([]),
  /** What a complete file looks like; else a reading is `suspect`. */
  complete: z
    .strictObject({
      must_end_with: z.string().optional(),
      must_contain: z.string().optional(),
      min_bytes: z.int().default(0),
    })
    .optional(),
  volatile: z.array(TextRule).default([]),
  secrets: z.array(TextRule).default([]),
});
export type Unit = z.output<typeof Unit>;

/** What may be managed on a kind of device and how it is checked. The copy on the device decides. */
export const DeviceProfile = z.strictObject({
  id: z.string().regex(/^[a-z][a-z0-9-]{0,31}$/),
  rev: z.int().min(1),
  summary: z.string(),
  platform: z.enum(['linux', 'vyos', 'opnsense']),
  /** `documents`: written from the vendor's documents and never run. */
  tried: z.enum(['run', 'documents']),
  /** Apply order; rollback is the reverse. */
  units: z.array(Unit).min(1),
  confirm_s: z.int().min(30).max(3600).default(120),
  probe: z
    .strictObject({
      every_s: z.number().min(0.2).max(60).default(3),
      need: z.int().min(1).max(20).default(3),
      over_s: z.number().min(0).max(600).default(15),
    })
    .prefault({}),
  /** A unit whose view lost more than this share of its bytes since the last PULL is `suspect`. */
  drop_guard_percent: z.number().min(1).max(100).default(50),
});
export type DeviceProfile = z.output<typeof DeviceProfile>;

/** Version of the rules that make a view; goes with each snapshot. */
export const rulesetOf = (profile: Pick<DeviceProfile, 'id' | 'rev'>): string =>
  `${profile.id}-${profile.rev}`;
